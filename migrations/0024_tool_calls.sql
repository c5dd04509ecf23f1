-- risk: low: adds a table

-- Tools that agents have used: one row for each call, and one for many that came too fast to be told one by one.
create table tool_calls (
  tenant_id text collate "C" not null,
  -- The lease, and the number within it.
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  item int,
  attempt int not null,
  -- What the agent speaks: acp, llm, mcp.
  source text collate "C" not null,
  tool text not null,
  kind text collate "C" not null,
  title text not null,
  -- started, completed, failed, refused, abandoned, gathered
  state text collate "C" not null,
  calls int not null,
  failed int not null,
  refused int not null,
  started_at timestamptz not null,
  duration_ms int,
  primary key (tenant_id, id)
) with (fillfactor = 80);
create index tool_calls_run on tool_calls (tenant_id, run_id, started_at desc, id desc);
create index tool_calls_task on tool_calls (tenant_id, task_id, started_at, id);
