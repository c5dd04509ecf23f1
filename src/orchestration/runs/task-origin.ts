import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface TaskOrigin {
  readonly workflow: string
  readonly step: string
  readonly agentId: string | null
}

/** What a task belongs to, and who does it; null: there is no such task. */
export async function originOfTask(tx: ReadTx, tenant: TenantId, taskId: string): Promise<TaskOrigin | null> {
  const [row] = await tx.query<TaskOrigin>(sql`
    select r.workflow, t.step, t.agent_id as "agentId" from tasks t join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id
    where t.tenant_id = ${tenant} and t.id = ${taskId}`)
  return row ?? null
}
