import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface PoolProfile {
  readonly pool: string
  readonly capabilities: readonly string[]
  readonly labels: JsonObject
  /** All its slots are in use. */
  readonly full: boolean
}

/** The healthy agents of some pools, those that registered alike and are equally full taken together. */
export async function readPoolProfiles(
  tx: ReadTx,
  tenant: TenantId,
  pools: readonly string[],
): Promise<readonly PoolProfile[]> {
  return tx.query<PoolProfile>(sql`
    select distinct pool, capabilities, labels, used >= slots as full from agents
    where tenant_id = ${tenant} and pool = any (${pools}::text[]) and state = 'healthy'`)
}
