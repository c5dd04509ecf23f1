-- risk: low: adds the tables of the model gateway

-- Keys of an attempt, a run or a program: they call models, on whose account the row says, and nothing else.
create table model_keys (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  -- Finds the row; no secret. The key itself is stored as its hash alone.
  prefix text collate "C" not null,
  hash bytea not null,
  name text not null,
  -- Names of models that it may call; null: all.
  models text[],
  team text,
  workflow text collate "C",
  run_id text collate "C",
  task_id text collate "C",
  attempt int,
  -- The lease with which it ends; null: it ends by time alone.
  fence bigint,
  agent_id text collate "C",
  created_by text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 70);
create unique index model_keys_prefix on model_keys (prefix);
create index model_keys_expiry on model_keys (expires_at);

-- One row a call, written when it is over, in the transaction of its event.
create table model_calls (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C",
  task_id text collate "C",
  agent_id text collate "C",
  key_id text collate "C",
  -- chat, responses, embeddings or messages.
  wire text not null,
  -- The name that was asked for, and the model that answered.
  asked text not null,
  model text not null,
  account text collate "C" not null,
  provider text not null,
  -- answered, refused, failed or cut.
  outcome text not null,
  status int,
  streamed boolean not null,
  -- False: the provider's count never came, so the whole hold counts.
  counted boolean not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  -- Null: the model has no price.
  micro_usd bigint,
  held_micro_usd bigint not null,
  held_tokens bigint not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  -- Before the call left, and until its first byte came back.
  wait_ms int not null,
  first_byte_ms int,
  primary key (tenant_id, id)
);
create index model_calls_of_run on model_calls (run_id) where run_id is not null;
create index model_calls_recent on model_calls (started_at);

-- What was said, for tenants that want it kept.
create table model_contents (
  tenant_id text collate "C" not null,
  call_id text collate "C" not null,
  request text not null,
  answer text not null,
  -- Beyond a megabyte each is cut.
  cut boolean not null,
  kept_until timestamptz not null,
  primary key (tenant_id, call_id)
);
create index model_contents_until on model_contents (kept_until);

create table model_settings (
  tenant_id text collate "C" not null,
  keep_contents boolean not null,
  keep_days int not null,
  rev int not null default 1,
  updated_at timestamptz not null,
  primary key (tenant_id)
);
