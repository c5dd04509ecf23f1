-- risk: low: adds columns without a rewrite to agents and pools, and the tables of scaling and liveness

-- What a person or the scaler wants of an agent, whatever its runner does meanwhile: cordon, drain, remove or warm.
alter table agents add column intent text collate "C";

-- How many agents there should be; null: as many as their hosts bring along.
alter table pools add column desired int;
-- Tasks that ended, and how long they took together, as their hosts have counted. For pools with a desired size only.
alter table pools add column completed bigint not null default 0;
alter table pools add column busy_ms bigint not null default 0;

create table scaling_policies (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  rev int not null default 1,
  policy jsonb not null,
  due_at timestamptz not null,
  -- The last look: what was seen, and why something was done or not.
  explanation jsonb,
  -- What was counted at the last look, for rates.
  counted jsonb,
  updated_at timestamptz not null,
  primary key (tenant_id, pool)
) with (fillfactor = 50);
create index scaling_policies_due on scaling_policies (due_at);

create table scaling_samples (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  at timestamptz not null,
  signals jsonb not null,
  primary key (tenant_id, pool, at)
);

create table scaling_decisions (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  at timestamptz not null,
  strategy text not null,
  from_agents int not null,
  to_agents int not null,
  reason text not null,
  explanation jsonb not null,
  primary key (tenant_id, pool, at)
);

create table liveness_policies (
  tenant_id text collate "C" not null,
  detector text collate "C" not null,
  policy jsonb not null,
  updated_at timestamptz not null,
  primary key (tenant_id, detector)
);

create table liveness_findings (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  rev int not null default 1,
  detector text collate "C" not null,
  subject_kind text collate "C" not null,
  subject_id text collate "C" not null,
  run_id text collate "C",
  -- open: waits for an answer; continued, cancelled: answered; noted: nobody is asked.
  state text collate "C" not null,
  action text not null,
  explanation text not null,
  evidence jsonb not null,
  found_at timestamptz not null,
  -- When the default answer is given.
  deadline_at timestamptz,
  answered_at timestamptz,
  answered_by text,
  primary key (tenant_id, id)
);
create index liveness_findings_recent on liveness_findings (tenant_id, found_at desc);
create index liveness_findings_subject on liveness_findings (tenant_id, detector, subject_id, found_at desc);
create index liveness_findings_due on liveness_findings (deadline_at) where state = 'open';
