-- risk: low: adds a table

-- Versions of the workflows that a run calls, however deep, as they were when it began.
create table run_calls (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  workflow text collate "C" not null,
  version int not null,
  primary key (tenant_id, run_id, workflow)
);
