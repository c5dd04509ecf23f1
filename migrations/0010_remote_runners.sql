-- risk: low: adds a table

-- Runners that joined by the address of a server. The row proves whose a runner is; leases are handed to no one else.
create table remote_runners (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
