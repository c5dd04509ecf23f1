import type { TestDatabase } from './databases.ts'

interface Column {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly filled: boolean
}

/** Every table with rows of tenants, but for partitions. */
export async function tenantTables(owner: TestDatabase['owner']): Promise<string[]> {
  const rows = await owner<{ name: string }>(`
    select c.relname as name from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1`)
  return rows.map(({ name }) => name)
}

/** Every table without a tenant, but for the record of migrations. */
export async function sharedTables(owner: TestDatabase['owner']): Promise<string[]> {
  const rows = await owner<{ name: string }>(`
    select c.relname as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') order by 1`)
  return rows.map(({ name }) => name)
}

/** The columns by which rows are asked for. */
export const nameColumns: readonly string[] = ['id', 'name', 'key', 'run_id', 'task_id', 'path']

/** A row made of the table's own description: `marker` in every text, `called` in those by which rows are asked for. */
export async function plantRow(
  owner: TestDatabase['owner'],
  table: string,
  tenant: string,
  marker: string,
  called = marker,
): Promise<void> {
  const { text, values } = await insertionOf(owner, table, tenant, marker, called)
  await owner(text, values)
}

/** The statement for such a row. */
export async function insertionOf(
  owner: TestDatabase['owner'],
  table: string,
  tenant: string,
  marker: string,
  called = marker,
): Promise<{ readonly text: string; readonly values: readonly string[] }> {
  const columns = await owner<Column>(
    `select a.attname as name, format_type(a.atttypid, null) as type, not a.attnotnull as nullable,
       a.atthasdef or a.attidentity <> '' or a.attgenerated <> '' as filled
     from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [table],
  )
  const given = columns.filter(({ name, nullable, filled }) => name === 'tenant_id' || (!nullable && !filled))
  const values = given.map((column) =>
    column.name === 'tenant_id'
      ? tenant
      : textFor(column.type, nameColumns.includes(column.name) ? called : marker, table),
  )
  const names = given.map(({ name }) => `"${name}"`)
  const casts = given.map(({ type }, index) => `$${index + 1}::text::${type}`)
  return { text: `insert into "${table}" (${names.join(', ')}) values (${casts.join(', ')})`, values }
}

function textFor(type: string, marker: string, table: string): string {
  if (type.endsWith('[]')) {
    const inner = textFor(type.slice(0, -2), marker, table)
    return `{"${inner.replaceAll('"', '\\"')}"}`
  }
  if (/^(text|character varying|name)/.test(type)) return `${marker}-${table}`
  if (/int|numeric|real|double/.test(type)) return '1'
  if (type === 'boolean') return 'false'
  if (/^timestamp|^date/.test(type)) return '2026-01-01T00:00:00Z'
  if (type === 'jsonb' || type === 'json') return JSON.stringify({ marker })
  if (type === 'bytea') return `\\x${Buffer.from(marker).toString('hex')}`
  if (type === 'xid8') return '5'
  if (type === 'uuid') return '00000000-0000-4000-8000-000000000000'
  if (type === 'interval') return '1 second'
  throw new Error(`no value is known for the type ${type} of ${table}: add one to test/support/foreign-rows.ts`)
}

/** All rows of a tenant, in a form that can be compared. */
export async function rowsOf(owner: TestDatabase['owner'], tenant: string): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {}
  for (const table of await tenantTables(owner)) {
    const rows = await owner<{ row: string }>(
      `select t::text as row from "${table}" t where tenant_id = $1 order by 1`,
      [tenant],
    )
    all[table] = rows.map(({ row }) => row)
  }
  return all
}
