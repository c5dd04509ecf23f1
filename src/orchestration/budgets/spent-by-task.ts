import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** What was settled on account of a task, over all its attempts, by unit. Units of which nothing was told are left out. */
export async function spentByTask(
  tx: ReadTx,
  tenant: TenantId,
  taskId: string,
): Promise<{ readonly microUsd: number | null; readonly tokens: number | null }> {
  const rows = await tx.query<{ unit: string; spent: number }>(sql`
    select u.unit, sum(u.spent)::float8 as spent from reservations r
    cross join lateral unnest(r.units, r.spent) as u(unit, spent)
    where r.tenant_id = ${tenant} and r.task_id = ${taskId} and r.ended_at is not null group by u.unit`)
  const spent = new Map(rows.map((row) => [row.unit, Number(row.spent)]))
  return { microUsd: spent.get('micro-usd') ?? null, tokens: spent.get('tokens') ?? null }
}
