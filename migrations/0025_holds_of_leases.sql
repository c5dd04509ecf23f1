-- risk: low: adds a column with a constant default

-- What of `held` belongs to tasks that were leased in this window; the rest is held by reservations.
alter table budget_windows add column leased bigint not null default 0;
