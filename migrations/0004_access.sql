-- risk: low: adds columns with defaults to a table of few rows, and new tables

-- active, suspended, deleting, deleted. The row of a deleted tenant stays: its id is never given away again, and `purge`
-- says what was counted when its rows were gone.
alter table tenants
  add column rev int not null default 1,
  add column reason text,
  add column changed_at timestamptz,
  -- Runs that a suspension has paused.
  add column paused_runs text[],
  add column purge jsonb;

create table members (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text not null,
  email text,
  role text not null,
  rev int not null default 1,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index members_email on members (tenant_id, lower(email)) where email is not null;

-- The key itself is never stored: `prefix` finds the row, `hash` (SHA-256 of the whole key, which is random) proves it.
create table access_keys (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  prefix text collate "C" not null,
  hash bytea not null,
  -- key, or runner: a short-lived token.
  kind text not null,
  name text not null,
  role text not null,
  -- Null: all that the role allows.
  scopes text[],
  -- May administer tenants and act for any of them.
  platform boolean not null default false,
  member_id text collate "C",
  -- Addresses and CIDR ranges it may be used from. Null: from anywhere.
  networks text[],
  rotated_from text collate "C",
  rev int not null default 1,
  created_by text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 80);
-- A key comes before its tenant is known.
create unique index access_keys_prefix on access_keys (prefix);
create index access_keys_member on access_keys (tenant_id, member_id) where member_id is not null;
create index access_keys_expiry on access_keys (expires_at) where expires_at is not null;

-- Answers to writes that carried an Idempotency-Key. While `status` is null the write is under way, until `held_until`.
create table idempotent_requests (
  tenant_id text collate "C" not null,
  caller text collate "C" not null,
  key text collate "C" not null,
  fingerprint bytea not null,
  holder text collate "C" not null,
  held_until timestamptz not null,
  status int,
  headers jsonb,
  body text,
  expires_at timestamptz not null,
  primary key (tenant_id, caller, key)
);
create index idempotent_requests_expiry on idempotent_requests (expires_at);

-- Token buckets that replicas share. After a crash they are full again, which is all that is lost.
create table rate_buckets (
  key text collate "C" primary key,
  tokens double precision not null,
  granted double precision not null,
  at timestamptz not null
) with (fillfactor = 50);
alter table rate_buckets set unlogged;
create index rate_buckets_age on rate_buckets (at);
