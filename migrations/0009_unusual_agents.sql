-- risk: low: adds two partial indexes to a small table

-- The registry looks every second whether there is anything to do; most agents are healthy and nothing is wanted of them.
create index agents_unusual on agents (state) where state not in ('healthy', 'offline');
create index agents_wanted on agents (intent) where intent is not null;
