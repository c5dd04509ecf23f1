import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/** How many leases of one lane an agent has. */
export interface HeldLane {
  readonly tenant: TenantId
  readonly agentId: string
  readonly runnerId: string
  readonly lane: string
  readonly count: number
}

/** What is leased to these runners now, whoever's it is. What a lease holds is in the name of its lane. */
export async function readHeld(tx: ReadTx, runners: readonly string[]): Promise<readonly HeldLane[]> {
  return tx.query<HeldLane>(sql`
    select tenant_id as tenant, agent_id as "agentId", runner_id as "runnerId", lane, count(*)::int as count
    from tasks where runner_id = any (${runners}::text[]) and state in ('leased', 'running')
    group by tenant_id, agent_id, runner_id, lane`)
}
