-- risk: low: adds the tables of schedules

create table schedules (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  rev int not null default 1,
  -- Found anew by its name for each run, so that a schedule runs what the workflow has become.
  workflow text collate "C" not null,
  inputs jsonb not null default '{}',
  repo_path text,
  priority smallint,
  parallel int,
  labels jsonb not null default '{}',
  cron text not null,
  time_zone text not null,
  catch_up text not null,
  catch_up_window_ms bigint not null,
  overlap text not null,
  jitter_ms bigint not null,
  state text collate "C" not null default 'active',
  -- Every slot up to this one is decided.
  last_slot_at timestamptz not null,
  -- When there may be something to do; null: never again.
  due_at timestamptz,
  created_at timestamptz not null,
  primary key (tenant_id, name)
) with (fillfactor = 70);
create index schedules_due on schedules (due_at) where state = 'active';

-- One row a slot: written in the transaction that starts its run, so a slot has one run however many processes look.
create table schedule_slots (
  tenant_id text collate "C" not null,
  schedule text collate "C" not null,
  slot_at timestamptz not null,
  -- started, queued, skipped, missed, failed; ended when its run is.
  state text collate "C" not null,
  reason text,
  run_id text collate "C",
  run_state text collate "C",
  decided_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, schedule, slot_at)
);
create index schedule_slots_open on schedule_slots (tenant_id, schedule, slot_at) where state in ('started', 'queued');
