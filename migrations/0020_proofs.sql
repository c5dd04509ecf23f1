-- risk: low: adds a table, and an index that holds what is added from now on

-- Proofs of work that are to be made, or made again: while `made` is behind `wanted`.
create table proofs (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  run_id text collate "C" not null,
  wanted int not null default 1,
  made int not null default 0,
  -- Of the JSON text that was made last.
  sha256 text collate "C",
  -- Not tried before, after a failure.
  retry_at timestamptz,
  created_at timestamptz not null,
  made_at timestamptz,
  primary key (tenant_id, task_id)
) with (fillfactor = 70);
create index proofs_run on proofs (tenant_id, run_id);
create index proofs_due on proofs (created_at) where made < wanted;

-- Finds the tasks that left a change.
create index artifacts_diffs on artifacts (tenant_id, task_id) where name = 'proof/diff.patch';
