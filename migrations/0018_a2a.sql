-- risk: low: adds tables

-- Runs that other agents began: each is a task in the words of the Agent2Agent protocol.
create table a2a_tasks (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  -- The name under which the agent is offered.
  agent text collate "C" not null,
  context_id text collate "C" not null,
  caller text collate "C" not null,
  created_at timestamptz not null,
  primary key (tenant_id, run_id)
);
create index a2a_tasks_recent on a2a_tasks (tenant_id, agent, created_at desc, run_id desc);

-- What callers said. The name that a caller gives a message makes it one, however often it comes.
create table a2a_messages (
  tenant_id text collate "C" not null,
  agent text collate "C" not null,
  caller text collate "C" not null,
  message_id text collate "C" not null,
  -- Null only within the transaction that begins the run.
  run_id text collate "C",
  seq bigint generated always as identity,
  content jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, agent, caller, message_id)
);
create index a2a_messages_run on a2a_messages (tenant_id, run_id, seq);

-- Where callers want to be told. What they are told with is sealed with a key that is not in the database.
create table a2a_push_configs (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  id text collate "C" not null,
  url text not null,
  sealed text not null,
  key_id text collate "C" not null,
  created_at timestamptz not null,
  primary key (tenant_id, run_id, id)
);

-- Notifications that are still to be sent; what was sent, or given up, is gone.
create table a2a_pushes (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  config_id text collate "C" not null,
  seq bigint generated always as identity,
  body text not null,
  attempt int not null default 0,
  due_at timestamptz not null,
  give_up_at timestamptz not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index a2a_pushes_due on a2a_pushes (due_at);
create index a2a_pushes_config on a2a_pushes (tenant_id, run_id, config_id, seq);

-- Agents that somebody has published, for others to find.
create table registry_entries (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  -- a2a: known by its card. pool, workflow: one of ours. other: known by its address.
  kind text collate "C" not null,
  title text not null,
  description text not null,
  -- Of the card, the pool, the workflow, or the agent itself.
  target text not null,
  version text not null,
  -- As it was read last; null: it has none.
  card jsonb,
  capabilities text[] not null,
  owner text collate "C" not null,
  -- What a task costs as a rule, and a million tokens; null: nobody says.
  task_micro_usd bigint,
  token_micro_usd bigint,
  -- unknown, healthy, unhealthy
  health text collate "C" not null,
  health_error text,
  checked_at timestamptz,
  -- Null: nobody asks for checks.
  check_seconds int,
  next_check_at timestamptz,
  rev int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, name)
);
create index registry_entries_capabilities on registry_entries using gin (capabilities);
create index registry_entries_due on registry_entries (next_check_at) where next_check_at is not null;
