-- risk: low: adds columns with constant defaults to budgets, replaces an index of it, and creates tables

-- The row of a budget is its present window; windows that are over are in budget_windows.
alter table budgets
  -- total, run (a pattern: each run below it gets a budget of its own), day, month, or a duration such as 5h.
  add column time_window text collate "C" not null default 'total',
  add column window_start timestamptz,
  add column window_end timestamptz,
  -- The pattern that this budget of a run was made from.
  add column origin text collate "C" not null default '',
  -- What of `held` belongs to reservations of this window; the rest is held by leased tasks.
  add column reserved bigint not null default 0,
  -- What of `spent` was metered and what was reported; the rest was capped.
  add column metered bigint not null default 0,
  add column reported bigint not null default 0,
  -- When it was told that the soft limit of this window was reached.
  add column soft_told_at timestamptz;
drop index budgets_scope;
-- It does not begin with the tenant: an index that does tempts the planner to look a row up by that alone.
create unique index budgets_scope on budgets (scope_id, scope, unit, tenant_id, time_window, origin);
create index budgets_windowed on budgets (tenant_id, id) where time_window not in ('total', 'run');
create index budgets_soft on budgets (tenant_id, id) where soft_limit is not null and soft_told_at is null;

create table budget_windows (
  tenant_id text collate "C" not null,
  budget_id text collate "C" not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  held bigint not null,
  spent bigint not null,
  metered bigint not null,
  reported bigint not null,
  hard_limit bigint,
  primary key (tenant_id, budget_id, window_start)
) with (fillfactor = 50);

create table reservations (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  state text collate "C" not null,
  -- metered, capped or reported.
  enforcement text collate "C" not null,
  -- What becomes of the hold when nobody settles it: count (it may have been spent) or release.
  if_lost text collate "C" not null,
  -- The process that will settle it.
  holder text collate "C" not null,
  run_id text collate "C",
  task_id text collate "C",
  attempt int,
  agent_id text collate "C",
  purpose text not null default '',
  priority smallint not null,
  -- Beside each other: what is still held, what is expected to be spent, and what was.
  units text[] not null,
  holds bigint[] not null,
  expected bigint[] not null,
  spent bigint[] not null,
  -- Beside each other: each budget above it, which of the units it counts (from 1), and in which of its windows.
  budget_ids text[] not null,
  budget_units smallint[] not null,
  budget_windows timestamptz[] not null,
  waits_for text collate "C",
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 70);
-- None of them has a column or a condition that a settlement changes, so that it touches no index.
create index reservations_due on reservations (holder, expires_at);
create index reservations_of_task on reservations (task_id) where task_id is not null;
create index reservations_recent on reservations using brin (created_at) with (autosummarize = on);

-- Processes that hold reservations or slices of quotas.
create table spenders (
  id text collate "C" primary key,
  heartbeat_at timestamptz not null
) with (fillfactor = 50);

-- An account with a provider: what it allows, as configured and as learned, and the state of its limiter.
create table quota_accounts (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  provider text collate "C" not null,
  settings jsonb not null default '{}',
  state jsonb not null default '{}',
  rev int not null default 1,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
) with (fillfactor = 50);

-- What a process may use of an account until its lease ends.
create table quota_slices (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  holder text collate "C" not null,
  slice jsonb not null,
  lease_until timestamptz not null,
  primary key (tenant_id, account_id, holder)
) with (fillfactor = 50);
