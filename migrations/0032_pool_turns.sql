-- risk: low: adds a table

-- Whose turn it is where a strategy of a pool goes round (round_robin, weighted), so that all servers go on where the last
-- one was. Written by the ticks of such pools alone.
create table pool_turns (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  strategy text collate "C" not null,
  -- The process that wrote it, and its count.
  stamp text not null,
  state jsonb not null,
  primary key (tenant_id, pool, strategy)
) with (fillfactor = 50);
