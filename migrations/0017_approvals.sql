-- risk: low: adds columns with defaults to a table of few rows, and new tables

-- What the answer takes: how many, from whom, by when, and what happens if nobody gives it (see approval-rules-contract.ts).
alter table approvals
  add column rules jsonb not null default '{}',
  -- How often others were asked as well, because nobody had answered.
  add column level int not null default 0,
  -- Who started the run, directly or through others.
  add column requesters text[] not null default '{}',
  add column choice text,
  add column answer text;
create index approvals_recent on approvals (tenant_id, created_at desc, id desc);
create index approvals_run on approvals (tenant_id, run_id);

-- One row for each person who answered: nobody counts twice.
create table approval_answers (
  tenant_id text collate "C" not null,
  approval_id text collate "C" not null,
  answered_by text collate "C" not null,
  -- approve, reject
  decision text collate "C" not null,
  choice text,
  answer text,
  comment text,
  answered_at timestamptz not null,
  primary key (tenant_id, approval_id, answered_by)
);

-- Who started a run. Only of runs whose workflow asks for it.
create table run_requesters (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  requested_by text collate "C" not null,
  primary key (tenant_id, run_id, requested_by)
);

-- How work of a kind went, as far as people were asked about it or would have been: what the policy of questions learns from.
create table work_samples (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  -- What kind of work it was, with what was at stake.
  key text collate "C" not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  -- Null: not known yet.
  success boolean,
  created_at timestamptz not null,
  decided_at timestamptz,
  primary key (tenant_id, id)
);
create index work_samples_key on work_samples (tenant_id, key, decided_at desc) where success is not null;
create index work_samples_open on work_samples (tenant_id, run_id) where success is null;
