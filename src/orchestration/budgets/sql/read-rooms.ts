import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/** What is left of budgets, by tenant and name. Without a limit it is more than anybody asks for. */
export async function readRooms(
  tx: ReadTx,
  budgets: readonly { readonly tenant: TenantId; readonly name: string }[],
): Promise<ReadonlyMap<string, number>> {
  if (budgets.length === 0) return new Map()
  const rows = await tx.query<{ key: string; room: number | null }>(sql`
    select b.tenant_id || '/' || b.id as key, b.hard_limit - b.held - b.spent as room
    from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.name)}::text[]) as i(tenant_id, id)
    join budgets b on b.tenant_id = i.tenant_id and b.id = i.id`)
  return new Map(rows.map((row) => [row.key, row.room ?? Number.MAX_SAFE_INTEGER]))
}
