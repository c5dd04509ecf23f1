import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** What agents of a pool have registered with; agents alike are told once. */
export interface RegisteredPool {
  readonly pool: string
  readonly capabilities: readonly string[]
  readonly labels: JsonObject
}

/** Kinds of agents told at most: what a chooser looks through for each prompt. */
const mostKinds = 1_000

/** The pools that have agents somewhere, by name. */
export async function readRegisteredPools(tx: ReadTx, tenant: TenantId): Promise<readonly RegisteredPool[]> {
  return tx.query(sql`
    select distinct pool, capabilities, labels from agents
    where tenant_id = ${tenant} and state <> 'offline' order by pool, capabilities, labels limit ${mostKinds}`)
}
