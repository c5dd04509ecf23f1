import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** Every table with rows of tenants, from the catalogue: a new one is in it by itself. Partitions count to their parent. */
export async function listTenantTables(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(sql`
    select c.relname as name from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`)
  return rows.map(({ name }) => name)
}

export async function deleteRows(tx: Tx, table: string, tenant: TenantId): Promise<number> {
  return tx.execute({ text: `delete from ${quoted(table)} where tenant_id = $1`, values: [tenant] })
}

export async function countRows(tx: ReadTx, table: string, tenant: TenantId): Promise<number> {
  const [row] = await tx.query<{ count: number }>({
    text: `select count(*)::int as count from ${quoted(table)} where tenant_id = $1`,
    values: [tenant],
  })
  return row!.count
}

/** Names come from the catalogue, never from outside; quoted all the same. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
