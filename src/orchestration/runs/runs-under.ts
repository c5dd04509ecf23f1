import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { taskRange } from './task-ids-contract.ts'

/** A run and the runs that it called, however deep, callers before called; at most `most` of them. */
export async function runsUnder(tx: ReadTx, tenant: TenantId, run: RunId, most: number): Promise<readonly RunId[]> {
  const found: RunId[] = [run]
  let level: readonly RunId[] = [run]
  while (level.length > 0 && found.length < most) {
    const ranges = level.map((id) => taskRange(id))
    const rows = await tx.query<{ id: RunId }>(sql`
      select r.id from unnest(${ranges.map((range) => range.from)}::text[], ${ranges.map((range) => range.to)}::text[]) as w(first, past)
      cross join lateral (
        select id from runs where tenant_id = ${tenant} and parent_task >= w.first and parent_task < w.past) r
      order by r.id limit ${most - found.length}`)
    level = rows.map(({ id }) => id)
    found.push(...level)
  }
  return found
}
