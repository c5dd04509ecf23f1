-- risk: low: adds tables

-- The queue of merges, one for each repository and branch. The task that does it names the merge.
create table merges (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  -- Who came first.
  seq bigint generated always as identity,
  run_id text collate "C" not null,
  step text collate "C" not null,
  item int,
  repo text collate "C" not null,
  branch text collate "C" not null,
  -- What is brought in.
  commit_id text collate "C" not null,
  state text collate "C" not null,
  rev int not null default 1,
  -- The newest lease that has noted anything; what older ones say is refused.
  fence bigint not null default 0,
  -- Where the branch was, and what it is, or was, to be moved to.
  target text collate "C",
  candidate text collate "C",
  files text[] not null default '{}',
  reason text,
  queued_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, task_id)
) with (fillfactor = 70);
create index merges_open on merges (tenant_id, repo, branch, seq) where ended_at is null;
create index merges_recent on merges (tenant_id, queued_at desc);
create index merges_run on merges (tenant_id, run_id);

-- Files that a task means to change, by glob: while it is open no other task on the same files begins.
create table path_claims (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  seq bigint generated always as identity,
  run_id text collate "C" not null,
  step text collate "C" not null,
  repo text collate "C" not null,
  paths text[] not null,
  -- waiting, held; a claim that was given back is gone.
  state text collate "C" not null,
  -- The place in the queue of tasks that the claim opens; null: it only warns.
  opens text collate "C",
  created_at timestamptz not null,
  primary key (tenant_id, task_id)
);
create index path_claims_repo on path_claims (tenant_id, repo, seq);
