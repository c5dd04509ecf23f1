import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** The agents that live on a runner. */
export async function agentsOfRunner(tx: ReadTx, tenant: TenantId, runnerId: string): Promise<readonly AgentId[]> {
  const rows = await tx.query<{ id: AgentId }>(sql`
    select id from agents where tenant_id = ${tenant} and runner_id = ${runnerId} order by id`)
  return rows.map((row) => row.id)
}
