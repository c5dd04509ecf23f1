-- risk: low: adds a column with a default to a table of few rows

-- Who has answered so far, and how, where one answer is not enough: [{by, choice, text}].
alter table questions add column votes jsonb not null default '[]';
