-- risk: low: adds a table

-- What turns added to contexts, over the attempts that have ended: what a new one begins with.
create table context_growth (
  tenant_id text collate "C" not null,
  -- agent, pool
  scope text collate "C" not null,
  name text collate "C" not null,
  -- tokens that a turn added in three of four turns at most, one for each attempt, the newest last
  samples bigint[] not null,
  updated_at timestamptz not null,
  primary key (tenant_id, scope, name)
);
create index context_growth_old on context_growth (tenant_id, updated_at);
