-- risk: low: adds two functions, by which the system role makes and drops partitions of the event log

-- The day is one of UTC. Attaching takes a lock that writers can work beside; the default partition alone is locked
-- fully, for as long as it takes to see that it holds nothing of the day. Where it does, the day stays there: false.
create function make_event_partition(day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  name text := 'events_' || to_char(day, 'YYYYMMDD');
begin
  perform pg_advisory_xact_lock(7041777);
  if to_regclass('public.' || name) is not null then
    return false;
  end if;
  begin
    execute format('create table public.%I (like public.event_batches including defaults including constraints)', name);
    execute format('alter table public.event_batches attach partition public.%I for values from (%L) to (%L)',
      name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  exception when check_violation then
    return false;
  end;
  perform public.apply_tenant_policies(format('public.%I', name)::regclass);
  return true;
end $$;

-- Whether anybody still reads the day is for the caller to know; the last days are refused whoever asks.
create function drop_event_partition(day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  name text := 'events_' || to_char(day, 'YYYYMMDD');
begin
  if day >= (now() at time zone 'UTC')::date - 1 then
    raise exception 'events of % are too young to be dropped', day;
  end if;
  perform pg_advisory_xact_lock(7041777);
  if not exists (
    select from pg_inherits where inhparent = 'public.event_batches'::regclass and inhrelid = to_regclass('public.' || name)
  ) then
    return false;
  end if;
  execute format('drop table public.%I', name);
  return true;
end $$;

revoke execute on function make_event_partition(date), drop_event_partition(date) from public;
grant execute on function make_event_partition(date), drop_event_partition(date) to leanvibe_system;
