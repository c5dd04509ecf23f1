-- risk: low: adds columns that may be null to a table of few rows

-- The merge whose attempt puts this one on top of its own and tests both together; null: none does.
alter table merges add column batch text collate "C";
-- How many may be tested together where this one is among them: fewer after a batch with it did not pass. Null: as many as usual.
alter table merges add column most int;
-- What its own attempt tells of a merge that another's attempt has brought in: checks and their evidence.
alter table merges add column landed jsonb;
create index merges_batch on merges (tenant_id, batch) where batch is not null and ended_at is null;
