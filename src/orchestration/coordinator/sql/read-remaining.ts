import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/** What budgets with a hard limit still admit, in their units. */
export async function readRemaining(
  tx: ReadTx,
  budgets: readonly { readonly tenant: TenantId; readonly id: string }[],
): Promise<readonly { readonly tenant: TenantId; readonly id: string; readonly remaining: number }[]> {
  if (budgets.length === 0) return []
  return tx.query(sql`
    select b.tenant_id as tenant, b.id, b.hard_limit - b.held - b.spent as remaining
    from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.id)}::text[]) as w(tenant_id, id)
    join budgets b on b.tenant_id = w.tenant_id and b.id = w.id
    where b.hard_limit is not null`)
}
