-- risk: low: creates the tables of webhooks both ways and of consumer groups

-- No row: webhooks of the tenant are on.
create table webhook_settings (
  tenant_id text collate "C" primary key,
  stopped_at timestamptz,
  updated_at timestamptz not null
);

create table webhook_sources (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  preset text collate "C" not null,
  -- Names of configured secrets, the newest first. Empty: the secret is derived from the webhook key.
  secrets text[] not null default '{}',
  key_id text collate "C" not null,
  secret_version int not null default 1,
  previous_until timestamptz,
  options jsonb not null default '{}',
  rules jsonb not null default '[]',
  rate_limit int not null,
  rate_window_ms int not null,
  enabled boolean not null default true,
  rev int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index webhook_sources_name on webhook_sources (tenant_id, name);
-- The address of a source is its id alone.
create unique index webhook_sources_id on webhook_sources (id);

-- The id follows from the source and what the sender calls the delivery: a second one with the same name finds it there.
create table webhook_receipts (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  source_id text collate "C" not null,
  delivery_id text collate "C" not null,
  -- Digest of the signature, which nobody can send again under another name. Null where nothing was signed.
  signature text collate "C",
  state text collate "C" not null default 'received',
  attempt int not null default 0,
  due_at timestamptz not null,
  headers jsonb not null,
  body text not null,
  outcomes jsonb,
  error jsonb,
  received_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id)
);
create unique index webhook_receipts_signature on webhook_receipts (tenant_id, source_id, signature)
  where signature is not null;
create index webhook_receipts_open on webhook_receipts (due_at) where state in ('received', 'retrying');
create index webhook_receipts_recent on webhook_receipts (tenant_id, received_at desc);

create table webhook_subscriptions (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  url text not null,
  -- Empty: all types.
  types text[] not null default '{}',
  filter text,
  ordering text collate "C" not null,
  format text collate "C" not null,
  signatures text[] not null,
  key_id text collate "C" not null,
  secret_version int not null default 1,
  previous_until timestamptz,
  state text collate "C" not null default 'active',
  reason text,
  failing_since timestamptz,
  failures int not null default 0,
  rev int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index webhook_subscriptions_name on webhook_subscriptions (tenant_id, name);

create table webhook_deliveries (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  subscription_id text collate "C" not null,
  position bigint generated always as identity,
  type text collate "C" not null,
  -- Deliveries with the same key are sent one after the other. Null: in any order.
  order_key text collate "C",
  state text collate "C" not null default 'pending',
  attempt int not null default 0,
  -- When it is to be sent; while it is being sent, when whoever sends it is given up.
  due_at timestamptz not null,
  give_up_at timestamptz not null,
  -- Attempts before this series of tries; a replay begins a new one.
  attempts_before int not null default 0,
  body text not null,
  last_status int,
  last_error text,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 80);
create index webhook_deliveries_due on webhook_deliveries (tenant_id, subscription_id, due_at)
  where state in ('pending', 'sending', 'retrying');
create index webhook_deliveries_order on webhook_deliveries (tenant_id, subscription_id, order_key, position)
  where state in ('pending', 'sending', 'retrying') and order_key is not null;
create index webhook_deliveries_recent on webhook_deliveries (tenant_id, subscription_id, position desc);

create table webhook_attempts (
  tenant_id text collate "C" not null,
  delivery_id text collate "C" not null,
  attempt int not null,
  at timestamptz not null,
  duration_ms int not null,
  status int,
  error text,
  -- The address that was spoken to.
  address text,
  excerpt text,
  primary key (tenant_id, delivery_id, attempt)
);

-- No row: streams of the tenant are on.
create table stream_settings (
  tenant_id text collate "C" primary key,
  stopped_at timestamptz,
  updated_at timestamptz not null
);

-- A consumer group's place: everything up to (tick, seq) has been handed to some member.
create table stream_groups (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  filter jsonb not null default '{}',
  epoch int not null,
  tick bigint not null,
  seq bigint not null,
  ack_ms int not null,
  max_attempts int not null,
  rev int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, name)
) with (fillfactor = 50);

-- What was handed out and is not acknowledged. The event is kept with it, so that it outlives the log.
create table stream_leases (
  tenant_id text collate "C" not null,
  group_name text collate "C" not null,
  tick bigint not null,
  seq bigint not null,
  state text collate "C" not null,
  token text collate "C" not null,
  member text not null,
  attempt int not null default 1,
  deadline_at timestamptz not null,
  event jsonb not null,
  primary key (tenant_id, group_name, tick, seq)
) with (fillfactor = 80);
create index stream_leases_due on stream_leases (tenant_id, group_name, deadline_at);
