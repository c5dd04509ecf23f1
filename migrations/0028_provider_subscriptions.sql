-- risk: low: adds a table

-- A subscription with a provider: so much in each of its windows, which begin with the first use.
create table provider_subscriptions (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  -- The pools whose agents work on it.
  pools text[] not null,
  -- The length of a window, such as 5h.
  time_window text collate "C" not null,
  -- What a whole window holds. Both null: only what its agents are told by the provider counts.
  tokens bigint,
  requests bigint,
  -- The present window, or the last one.
  window_start timestamptz,
  window_end timestamptz,
  used_tokens bigint not null default 0,
  used_requests bigint not null default 0,
  -- Millionths of the window: what counts as used, and what the provider said last.
  used_ppm bigint not null default 0,
  told_ppm bigint,
  rev int not null default 1,
  updated_at timestamptz not null,
  primary key (tenant_id, name)
) with (fillfactor = 50);
