-- risk: low: adds tables

-- How full the contexts of agents at work are, in tokens. A row goes with its attempt.
create table context_use (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  fence bigint not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  agent_id text collate "C" not null,
  used bigint not null,
  context_limit bigint not null,
  -- what a turn adds, in three of four turns at most
  growth bigint,
  turns_left int,
  -- ok, warn, checkpoint
  level text collate "C" not null,
  turns int not null,
  summaries int not null,
  rev int not null default 1,
  updated_at timestamptz not null,
  primary key (tenant_id, task_id, fence)
);
create index context_use_agent on context_use (tenant_id, agent_id);
create index context_use_recent on context_use (tenant_id, updated_at);

-- Work that a service does for an attempt over HTTP and tells of later, at an address of ours or when it is asked.
create table service_calls (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  task_id text collate "C" not null,
  -- of the lease that waits; a later attempt of the task may take the work over
  fence bigint not null,
  run_id text collate "C" not null,
  pool text collate "C" not null,
  -- what the service answered when it took the work; null: it has not yet
  accepted jsonb,
  resume boolean not null,
  -- signs the one token by which the service may tell something of this call, and of no other
  token_key bytea not null,
  last_seq int not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  closed_at timestamptz,
  closed_reason text,
  primary key (tenant_id, id)
);
create index service_calls_task on service_calls (tenant_id, task_id);
create index service_calls_old on service_calls (tenant_id, closed_at) where closed_at is not null;

-- What the service told, in order; it goes with the call.
create table service_messages (
  tenant_id text collate "C" not null,
  call_id text collate "C" not null,
  seq int not null,
  key text collate "C",
  -- progress, words, usage, question, result, failure
  kind text collate "C" not null,
  body jsonb not null,
  -- to a question
  answer jsonb,
  at timestamptz not null,
  primary key (tenant_id, call_id, seq)
);
create unique index service_messages_key on service_messages (tenant_id, call_id, key) where key is not null;
