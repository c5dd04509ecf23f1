-- risk: low: creates the orchestration tables of an empty database

create table workflows (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  version int not null,
  hash text collate "C" not null,
  definition jsonb not null,
  source text,
  created_at timestamptz not null,
  primary key (tenant_id, name, version)
);
create unique index workflows_hash on workflows (tenant_id, name, hash);

create table runs (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  workflow text collate "C" not null,
  version int not null,
  state text collate "C" not null,
  rev int not null default 1,
  inputs jsonb not null default '{}',
  outputs jsonb,
  error jsonb,
  repo_path text,
  repo_commit text,
  repo_branch text,
  -- Null: as the workflow says.
  priority smallint,
  parallel int,
  -- Place it holds, or waits for while pending.
  concurrency_key text,
  labels jsonb not null default '{}',
  budget_ids text[] not null default '{}',
  origin_kind text,
  origin_id text,
  parent_task text,
  cancel_requested boolean not null default false,
  -- The outcome fixed when the last ordinary step ended; `finally` steps still run after it.
  outcome text,
  created_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 70);
create index runs_recent on runs (tenant_id, created_at desc);
create index runs_open on runs (tenant_id, state) where ended_at is null;
create index runs_parent on runs (tenant_id, parent_task) where parent_task is not null;
create index runs_pending on runs (tenant_id, concurrency_key, created_at) where state = 'pending';

create table run_steps (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  position int not null,
  state text collate "C" not null default 'pending',
  rev int not null default 1,
  reason text,
  total int not null default 0,
  open int not null default 0,
  failed int not null default 0,
  cancelled int not null default 0,
  -- How many items of a map may fail.
  tolerate int not null default 0,
  -- Skipped by its own `if`, which counts as ended well.
  by_condition boolean not null default false,
  outputs jsonb,
  error jsonb,
  started_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, run_id, step)
) with (fillfactor = 70);

create table tasks (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  item int,
  state text collate "C" not null,
  reason text,
  rev int not null default 1,
  pool text collate "C" not null,
  -- Priority and requirements as text: tasks of one lane are alike to the scheduler.
  lane text collate "C" not null,
  priority smallint not null,
  ready_seq bigint generated always as identity,
  attempt int not null default 0,
  losses smallint not null default 0,
  fence bigint not null default 0,
  agent_id text collate "C",
  runner_id text collate "C",
  -- Backstop of the attempt: its timeout and some grace. The runner ends it earlier.
  lease_until timestamptz,
  timeout_ms bigint not null,
  progress_at timestamptz,
  cancel_reason text,
  -- Null: none. Most tasks have none, and every byte is written three times.
  concurrency text[],
  budget_ids text[],
  holds bigint[],
  -- What the task does not share with the others of its step (see task_specs); all of it where it holds `kind`.
  spec jsonb,
  output jsonb,
  error jsonb,
  workspace_commit text,
  -- What the attempt used that succeeded.
  wall_ms float8,
  cpu_ms float8,
  max_rss bigint,
  usage jsonb,
  created_at timestamptz not null,
  leased_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index tasks_ready on tasks (tenant_id, pool, lane, ready_seq) where state = 'ready';
create index tasks_leased on tasks (runner_id) where state in ('leased', 'running');
create index tasks_waiting on tasks (tenant_id, reason, ready_seq) where state = 'waiting';

-- What all tasks of a step have in common. The id is the common beginning of theirs.
create table task_specs (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  spec jsonb not null,
  primary key (tenant_id, id)
);

-- Attempts that ended without success. The one under way, and the one that succeeded, live on their task.
create table past_attempts (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  attempt int not null,
  fence bigint not null,
  run_id text collate "C" not null,
  agent_id text collate "C",
  runner_id text collate "C",
  outcome text collate "C" not null,
  leased_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz not null,
  error jsonb,
  usage jsonb,
  primary key (tenant_id, task_id, fence)
);

-- Every ended attempt.
create view attempts with (security_invoker = true) as
  select tenant_id, task_id, attempt, fence, run_id, agent_id, runner_id, outcome, leased_at, started_at, ended_at, error, usage
  from past_attempts
  union all
  select tenant_id, id, attempt, fence, run_id, agent_id, runner_id, 'succeeded', leased_at, started_at, ended_at, null,
    jsonb_build_object('cpuSeconds', cpu_ms / 1000, 'maxRssBytes', max_rss, 'wallSeconds', wall_ms / 1000)
      || coalesce(usage, '{}')
  from tasks where state = 'succeeded' and wall_ms is not null;
grant select on attempts to leanvibe_app, leanvibe_system;

create table concurrency_groups (
  tenant_id text collate "C" not null,
  key text collate "C" not null,
  max int not null,
  used int not null default 0,
  primary key (tenant_id, key)
) with (fillfactor = 50);

create table runners (
  id text collate "C" primary key,
  host text not null,
  pid int not null,
  state text not null,
  registered_at timestamptz not null,
  heartbeat_at timestamptz not null
) with (fillfactor = 50);

create table pools (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  strategy text not null default 'least_connections',
  settings jsonb not null default '{}',
  primary key (tenant_id, name)
);

create table agents (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  pool text collate "C" not null,
  kind text not null,
  state text collate "C" not null,
  rev int not null default 1,
  capabilities text[] not null default '{}',
  labels jsonb not null default '{}',
  slots int not null,
  used int not null default 0,
  weight real not null default 1,
  runner_id text collate "C" not null,
  registered_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (tenant_id, id),
  check (used >= 0 and used <= slots)
) with (fillfactor = 50);
create index agents_free on agents (tenant_id, pool) where state = 'healthy' and used < slots;
create index agents_runner on agents (runner_id);

create table budgets (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  -- tenant, workflow, run or task; settlement locks leaf to root.
  scope text collate "C" not null,
  scope_id text collate "C" not null,
  unit text collate "C" not null,
  hard_limit bigint,
  soft_limit bigint,
  held bigint not null default 0,
  spent bigint not null default 0,
  rev int not null default 1,
  primary key (tenant_id, id),
  check (held >= 0 and spent >= 0)
) with (fillfactor = 50);
create unique index budgets_scope on budgets (tenant_id, scope, scope_id, unit);

create table approvals (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  message text not null,
  state text collate "C" not null,
  rev int not null default 1,
  who text[] not null default '{}',
  deadline_at timestamptz,
  default_answer text,
  answered_by text,
  comment text,
  created_at timestamptz not null,
  answered_at timestamptz,
  primary key (tenant_id, id)
);
create index approvals_open on approvals (tenant_id, created_at) where state = 'pending';

create table event_waits (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  run_id text collate "C" not null,
  type text collate "C" not null,
  created_at timestamptz not null,
  -- Events up to this one do not end the wait.
  after_seq bigint not null,
  primary key (tenant_id, task_id)
);
create index event_waits_type on event_waits (tenant_id, type);

create table artifacts (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  name text not null,
  media_type text not null,
  bytes bigint not null,
  sha256 text not null,
  blob text collate "C" not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index artifacts_run on artifacts (tenant_id, run_id);
create index artifacts_blob on artifacts (tenant_id, blob);

create table checkpoints (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text not null,
  run_id text collate "C" not null,
  reason text not null,
  document jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index checkpoints_name on checkpoints (tenant_id, name);

-- Output is kept as the bytes that were printed: a character may be cut between two chunks, and decoding is for readers,
-- who see them in order. The transaction orders the chunks of a run by arrival, for followers.
create table log_chunks (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  fence bigint not null,
  part int not null,
  run_id text collate "C" not null,
  stream text not null,
  at timestamptz not null,
  bytes bytea not null,
  xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, task_id, fence, part)
);
create index log_chunks_run on log_chunks (tenant_id, run_id, xid);
