-- risk: low: adds a column with a constant default

-- Set in the transaction of the write itself: once it has taken effect it is never done again, answer or not.
alter table idempotent_requests add column wrote boolean not null default false;
