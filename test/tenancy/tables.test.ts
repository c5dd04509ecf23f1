import { expect, test } from 'vitest'
import { asId, type TenantId } from '../../src/foundation/kernel/ids.ts'
import type { Query } from '../../src/foundation/platform/database/sql.ts'
import { listSources } from '../meta/source-tree.ts'
import { withoutComments } from '../meta/without-comments.ts'
import { eachDatabase } from '../support/databases.ts'
import { insertionOf, plantRow, sharedTables, tenantTables } from '../support/foreign-rows.ts'

const own = asId<TenantId>('ten-a')
const foreign = 'ten-b'

eachDatabase('the database itself keeps tenants apart', (use) => {
  const plain = (text: string, ...values: unknown[]): Query => ({ text, values })
  const asOwn = (query: Query) =>
    use()
      .db.forTenant(own)
      .write((tx) => tx.execute(query))
  const refusal = (query: Query) => asOwn(query).then(() => 'it was allowed', reasonOf)

  test('in every table: no row of another tenant is seen, counted, changed, moved or made', async () => {
    const { owner, db } = use()
    const tables = await tenantTables(owner)
    expect(tables.length).toBeGreaterThan(20)
    const faults: string[] = []
    for (const table of tables) {
      await plantRow(owner, table, foreign, 'theirs')
      await plantRow(owner, table, own, 'ours')
      const before = await textOf(table)
      const seen = await db
        .forTenant(own)
        .read((tx) =>
          tx.query<{ tenant: string; count: number }>(
            plain(`select tenant_id as tenant, count(*)::int as count from "${table}" group by 1`),
          ),
        )
        .catch((error) => reasonOf(error))
      // A table that tenants may not even read is the safest of all.
      const isClosed = typeof seen === 'string' && /permission denied/.test(seen)
      if (!isClosed && JSON.stringify(seen) !== JSON.stringify([{ tenant: own, count: 1 }]))
        faults.push(`${table}: sees ${JSON.stringify(seen)}`)
      const insert = await insertionOf(owner, table, foreign, 'forged')
      const moves = await refusal(plain(`update "${table}" set tenant_id = $1 where tenant_id = $2`, foreign, own))
      const makes = await refusal(plain(insert.text, ...insert.values))
      if (!isRefusal(moves)) faults.push(`${table}: a row moves to another tenant: ${moves}`)
      if (!isRefusal(makes)) faults.push(`${table}: a row is made for another tenant: ${makes}`)
      for (const text of [
        `delete from "${table}" where tenant_id = $1`,
        `update "${table}" set tenant_id = tenant_id where tenant_id = $1`,
      ]) {
        const touched = await asOwn(plain(text, foreign)).catch((error) => reasonOf(error))
        if (touched !== 0 && !isRefusal(String(touched))) faults.push(`${table}: ${text}: ${touched}`)
      }
      if ((await textOf(table)) !== before) faults.push(`${table}: something has changed`)
    }
    expect(faults).toEqual([])

    async function textOf(table: string): Promise<string> {
      return JSON.stringify(await owner(`select t::text from "${table}" t order by 1`))
    }
  })

  test('tables without a tenant, and partitions, are closed to tenants', async () => {
    const { owner } = use()
    const partitions = await owner<{ name: string }>(
      `select relname as name from pg_class where relispartition and relkind = 'r' and relnamespace = 'public'::regnamespace`,
    )
    const tables = [...(await sharedTables(owner)), ...partitions.map(({ name }) => name)]
    expect(tables.length).toBeGreaterThan(4)
    for (const table of tables) {
      expect(await refusal(plain(`select count(*) from "${table}"`)), table).toMatch(/permission denied/)
      expect(await refusal(plain(`delete from "${table}"`)), table).toMatch(/permission denied/)
    }
  })

  test('views show the own tenant alone', async () => {
    const { owner, db } = use()
    const views = await owner<{ name: string }>(`
      select c.relname as name from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm') order by 1`)
    for (const table of await tenantTables(owner)) await plantRow(owner, table, foreign, 'theirs')
    for (const { name } of views) {
      const rows = await db
        .forTenant(own)
        .read((tx) => tx.query<{ count: number }>(plain(`select count(*)::int as count from "${name}"`)))
      expect(rows, name).toEqual([{ count: 0 }])
    }
  })

  test('a function that passes the policies is not for tenants', async () => {
    const functions = await use().owner(
      `select proname from pg_proc where prosecdef and pronamespace = 'public'::regnamespace
         and has_function_privilege('leanvibe_app', oid, 'execute')
         and not coalesce(proargnames[1] like '%tenant%', false)`,
    )
    expect(functions).toEqual([])
  })
})

test('only the database port says which tenant a transaction belongs to, or which role it has', () => {
  const places = listSources('src')
    .filter(({ text }) => /app\.tenant|set_config|\bset (local |session )?role\b/i.test(withoutComments(text)))
    .map(({ path }) => path)
  expect(places.filter((path) => !path.startsWith('src/foundation/platform/database/'))).toEqual([])
})

function isRefusal(text: string): boolean {
  return /row-level security|permission denied/.test(text)
}

/** What the database said, however deep it lies. */
function reasonOf(error: unknown): string {
  const words: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) words.push(at.message)
  return words.join(' <- ')
}
