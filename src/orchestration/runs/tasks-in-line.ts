import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** Of these tasks those that nobody works on and that wait for nothing but a place under `key`. */
export async function tasksInLine(
  tx: ReadTx,
  tenant: TenantId,
  taskIds: readonly string[],
  key: string,
): Promise<readonly string[]> {
  const rows = await tx.query<{ id: string }>(sql`
    select id from tasks where tenant_id = ${tenant} and id = any (${taskIds}::text[])
      and (state || '' = 'ready' or (state || '' = 'waiting' and reason = ${`concurrency:${key}`}))`)
  return rows.map(({ id }) => id)
}
