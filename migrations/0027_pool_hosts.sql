-- risk: low: adds a table

-- Where agents of a pool can be started. A process with a database starts its own; a runner that joined by URL starts those that
-- servers plan for it, which then register with `template`.
create table pool_hosts (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  runner_id text collate "C" not null,
  template jsonb,
  -- Agents on that machine at a time, at most, of all its pools.
  most int not null,
  primary key (tenant_id, pool, runner_id)
);
create index pool_hosts_runner on pool_hosts (runner_id);
