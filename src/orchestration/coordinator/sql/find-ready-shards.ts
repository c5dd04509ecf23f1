import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { Shard } from './find-lanes.ts'

/** Every shard that has agents and ready tasks. */
export async function findReadyShards(tx: ReadTx): Promise<readonly Shard[]> {
  return tx.query<Shard>(sql`
    select p.tenant_id as tenant, p.name as pool from pools p
    where exists (select 1 from tasks t where t.tenant_id = p.tenant_id and t.pool = p.name and t.state = 'ready')`)
}
