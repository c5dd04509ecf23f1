-- risk: low: adds a small table and a function

-- Moves of this database to another place (`out`), and the one that filled it (`in`).
create table moves (
  id text collate "C" primary key,
  direction text collate "C" not null check (direction in ('out', 'in')),
  -- The other place, without user and password.
  place text not null,
  begun_at timestamptz not null,
  -- Null while nobody knows whether the other place has it all.
  ended_at timestamptz
);

-- Copied rows bring their numbers along; what counts them must go on behind. It never goes back.
create function advance_sequence(name text, reached bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  present bigint;
begin
  execute format('select last_value from public.%I', name) into present;
  if reached > present then
    perform setval(format('public.%I', name)::regclass, reached);
  end if;
end $$;
revoke execute on function advance_sequence(text, bigint) from public;
grant execute on function advance_sequence(text, bigint) to leanvibe_system;
