import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface AgentShape {
  readonly id: string
  readonly pool: string
  readonly state: string
  readonly runnerId: string
  readonly slots: number
  readonly used: number
  readonly labels: JsonObject
}

/** Agents shown at once, at most. */
const most = 10_000

/** The agents of a tenant that could work, with what they registered of themselves, by pool and id. */
export async function readAgentShapes(tx: ReadTx, tenant: TenantId): Promise<readonly AgentShape[]> {
  return tx.query<AgentShape>(sql`
    select id, pool, state, runner_id as "runnerId", slots, used, labels
    from agents where tenant_id = ${tenant} and state <> 'offline' order by pool, id limit ${most}`)
}
