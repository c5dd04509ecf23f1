import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface PoolAgent {
  readonly pool: string
  readonly capabilities: readonly string[]
  /** All its slots are in use. */
  readonly full: boolean
}

/** The healthy agents of some pools, those that offer the same and are equally full taken together. */
export async function readPoolAgents(
  tx: ReadTx,
  tenant: TenantId,
  pools: readonly string[],
): Promise<readonly PoolAgent[]> {
  return tx.query<PoolAgent>(sql`
    select distinct pool, capabilities, used >= slots as full from agents
    where tenant_id = ${tenant} and pool = any (${pools}::text[]) and state = 'healthy'`)
}
