-- risk: low: adds two tables

-- No row: the gateway of the tenant is on.
create table gateway_settings (
  tenant_id text collate "C" primary key,
  stopped_at timestamptz,
  updated_at timestamptz not null
);

create table gateway_routes (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  -- All that the route says, as its contract has it.
  definition jsonb not null,
  enabled boolean not null,
  rev int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index gateway_routes_name on gateway_routes (tenant_id, name);
