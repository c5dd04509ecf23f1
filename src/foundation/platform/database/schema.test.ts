import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eachDatabase, ownerClient } from '../../../../test/support/databases.ts'
import { packagedMigrations } from './migration-files.ts'
import { dumpSchema } from './schema-dump.ts'

/** Rows of the log are found by transaction and sequence, and its partitions need no key to be told apart. */
const keyExceptions = [/^event_batches$|^events(_.*)?$/]

eachDatabase('the schema of the migrations', (use) => {
  const tenantTables = `
    select c.oid, c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
      (select array_agg(polname::text order by polname) from pg_policy where polrelid = c.oid) as policies,
      (select a.attname::text from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where i.indrelid = c.oid and i.indisprimary) as first_key,
      (select format('%s %s', format_type(a.atttypid, null), co.collname) from pg_collation co where co.oid = a.attcollation) as type
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace order by c.relname`

  interface TenantTable {
    readonly name: string
    readonly enabled: boolean
    readonly forced: boolean
    readonly policies: readonly string[]
    readonly first_key: string | null
    readonly type: string
  }

  test('every table and partition with a tenant is confined to it', async () => {
    const rows = await use().owner<TenantTable>(tenantTables)
    expect(rows.length).toBeGreaterThan(5)
    const open = rows.filter(
      (row) => !row.enabled || !row.forced || String(row.policies) !== 'system_access,tenant_isolation',
    )
    expect(open.map((row) => row.name)).toEqual([])
  })

  test('every primary key begins with the tenant, whose column sorts by bytes', async () => {
    const rows = await use().owner<TenantTable>(tenantTables)
    const wrong = rows.filter(
      (row) =>
        row.type !== 'text C' ||
        (row.first_key !== 'tenant_id' && !keyExceptions.some((pattern) => pattern.test(row.name))),
    )
    expect(wrong.map((row) => row.name)).toEqual([])
  })

  test('no view lets a reader past the policies', async () => {
    const views = await use().owner(`select relname from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'v' and not coalesce(reloptions, '{}') @> '{security_invoker=true}'`)
    expect(views).toEqual([])
  })

  test('every definer function has a fixed search path and is not for everybody', async () => {
    const functions = await use().owner(`select proname from pg_proc
      where pronamespace = 'public'::regnamespace and prosecdef
        and (not coalesce(array_to_string(proconfig, ','), '') like '%search_path=%' or has_function_privilege('public', oid, 'execute'))`)
    expect(functions).toEqual([])
  })

  test('migrations/schema.sql is what the migrations make', async () => {
    const committed = await readFile(join(packagedMigrations(), 'schema.sql'), 'utf8')
    expect(await dumpSchema(ownerClient(use().owner)), 'run `npm run generate`').toBe(committed)
  })
})
