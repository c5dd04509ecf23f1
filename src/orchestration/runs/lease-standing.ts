import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** A task with its present lease, for what is given to its attempt beside the work. */
export interface LeaseStanding {
  readonly runId: string
  readonly workflow: string
  /** Of the run's label `team`. */
  readonly team: string | null
  readonly attempt: number
  readonly fence: number
  readonly agentId: string | null
  /** False: nobody works on it now. */
  readonly live: boolean
  readonly pool: string
  /** It will never be worked on again. */
  readonly ended: boolean
}

/** Null where the tenant has no such task. */
export async function leaseStanding(tx: ReadTx, tenant: TenantId, taskId: string): Promise<LeaseStanding | null> {
  const [row] = await tx.query<LeaseStanding>(sql`
    select t.run_id as "runId", r.workflow, nullif(r.labels->>'team', '') as team, t.attempt, t.fence, t.agent_id as "agentId",
      t.state in ('leased', 'running') as live, t.pool,
      t.state in ('succeeded', 'failed', 'cancelled', 'timed-out', 'skipped') as ended
    from tasks t join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id
    where t.tenant_id = ${tenant} and t.id = ${taskId}`)
  return row ?? null
}
