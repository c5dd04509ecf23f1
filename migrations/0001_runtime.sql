-- risk: low: creates the runtime tables of an empty database

create table tenants (
  id text collate "C" primary key,
  name text not null,
  state text not null default 'active',
  created_at timestamptz not null default now()
);
insert into tenants (id, name) values ('default', 'Default');

-- One row. The epoch grows with every import, restore and promotion; cursors of older epochs are mapped or refused.
create table log_epochs (
  epoch int primary key,
  started_at timestamptz not null default now(),
  reason text not null
);
insert into log_epochs (epoch, reason) values (1, 'created');

-- Events of one type that one transaction appended for subjects of one run: the n-th of them has the number seq + n - 1.
-- A row for each would cost several times as much, and most come by the hundred.
create table event_batches (
  seq bigint generated always as identity (increment by 1000),
  xid xid8 not null default pg_current_xact_id(),
  tenant_id text collate "C" not null,
  type text collate "C" not null,
  subject_kind text collate "C" not null,
  run_id text collate "C",
  at timestamptz not null,
  subject_ids text[] not null,
  subject_revs int[] not null,
  -- JSON, an element per subject.
  data text[] not null,
  check (cardinality(subject_ids) between 1 and 1000)
) partition by range (at);
create index event_batches_xid on event_batches (xid, seq);
create table events_default partition of event_batches default;

create view events with (security_invoker = true) as
  select b.seq + e.n - 1 as seq, b.xid, b.tenant_id, b.type, b.subject_kind, e.subject_id collate "C" as subject_id,
    e.subject_rev, b.run_id, b.at, e.data::jsonb as data
  from event_batches b
  cross join lateral unnest(b.subject_ids, b.subject_revs, b.data)
    with ordinality as e(subject_id, subject_rev, data, n);
grant select on events to leanvibe_app, leanvibe_system;

create table ticks (
  id bigint primary key,
  epoch int not null,
  snapshot pg_snapshot not null,
  at timestamptz not null
);
insert into ticks (id, epoch, snapshot, at) values (0, 1, pg_current_snapshot(), now());

-- A durable reader's place: everything up to (tick, seq) has been handled.
create table cursors (
  name text collate "C" primary key,
  epoch int not null,
  tick bigint not null,
  seq bigint not null,
  updated_at timestamptz not null
);

create table timers (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  kind text collate "C" not null,
  subject_id text collate "C" not null,
  due_at timestamptz not null,
  data jsonb not null default '{}',
  primary key (tenant_id, id)
);
create index timers_due on timers (due_at);

-- A blob is a row with chunk -1, which says how large it is and when it was stored, and its pieces from 0 on. The size
-- is null while it is being uploaded; then it also has a name that is not a key.
create table blobs (
  tenant_id text collate "C" not null,
  key text collate "C" not null,
  chunk int not null,
  bytes bytea not null,
  size bigint,
  sha256 text,
  stored_at timestamptz,
  primary key (tenant_id, key, chunk)
);
alter table blobs alter column bytes set storage external;
create index blobs_whole on blobs (tenant_id, key) where chunk = -1;

create sequence fences;
