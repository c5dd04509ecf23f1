import { roles } from './roles.ts'

/**
 * Migration 0, the same for every set of migrations: both roles, the table of versions, and the one template that
 * confines each table with a `tenant_id` to its tenant. Its text is checked like that of any other migration.
 *
 * `apply_tenant_policies(table)` may be called by owner-defined functions and by the system role after a partition was
 * made. Privileges that a migration gave the application role on a table are kept; where it gave none, the role may
 * read and write rows. A partition gets none, because rows are reached through its parent.
 */
export const foundationMigration = `-- risk: low: creates roles, functions and one small table
do $$
declare
  name text;
begin
  foreach name in array array['${roles.app}', '${roles.system}'] loop
    if not exists (select from pg_roles where rolname = name) then
      begin
        execute format('create role %I nologin', name);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
    if not pg_has_role(current_user, name, 'member') then
      execute format('grant %I to current_user', name);
    end if;
  end loop;
end $$;

grant select on migrations to ${roles.system};

create function apply_tenant_policies(target regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  confined boolean;
  partition boolean;
begin
  if not exists (select from pg_attribute where attrelid = target and attname = 'tenant_id' and not attisdropped) then
    return;
  end if;
  select relrowsecurity and relforcerowsecurity, relispartition into confined, partition from pg_class where oid = target;
  if not confined then
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
  end if;
  if not exists (select from pg_policy where polrelid = target and polname = 'tenant_isolation') then
    execute format(
      'create policy tenant_isolation on %s to ${roles.app} '
      'using (tenant_id = current_setting(''app.tenant'', true)) with check (tenant_id = current_setting(''app.tenant'', true))',
      target);
  end if;
  if not exists (select from pg_policy where polrelid = target and polname = 'system_access') then
    execute format('create policy system_access on %s to ${roles.system} using (true) with check (true)', target);
  end if;
  if not partition and not exists (
    select from pg_class, aclexplode(relacl) where oid = target and grantee = '${roles.app}'::regrole
  ) then
    execute format('grant select, insert, update, delete on %s to ${roles.app}', target);
  end if;
end $$;

create function apply_access_rules() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target regclass;
begin
  for target in
    select c.oid::regclass from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migrations'
  loop
    perform public.apply_tenant_policies(target);
    if not exists (
      select from pg_class, aclexplode(relacl) where oid = target and grantee = '${roles.system}'::regrole
    ) then
      execute format('grant select, insert, update, delete on %s to ${roles.system}', target);
    end if;
  end loop;
  execute 'grant usage, select on all sequences in schema public to ${roles.app}, ${roles.system}';
end $$;

revoke execute on function apply_tenant_policies(regclass), apply_access_rules() from public;
grant execute on function apply_tenant_policies(regclass) to ${roles.system};
`
