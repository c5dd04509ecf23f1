-- risk: low: adds a column with a default to a table of few rows

-- What happened to the merge, step by step, the oldest first (see merges-contract.ts).
alter table merges add column history jsonb not null default '[]';
