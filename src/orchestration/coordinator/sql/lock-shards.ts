import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import type { Shard } from './find-lanes.ts'

/**
 * Takes the shards that nobody else is ticking, until the transaction ends, and returns those. A statement of its own:
 * what is read of a shard must be younger than its lock.
 */
export async function lockShards(tx: ReadTx, shards: readonly Shard[]): Promise<readonly Shard[]> {
  const rows = await tx.query<{ tenant: TenantId; pool: string; locked: boolean }>({
    name: 'lock-shards',
    text: `
      select tenant_id as tenant, pool, pg_try_advisory_xact_lock(hashtextextended(tenant_id || '/' || pool, 1)) as locked
      from unnest($1::text[], $2::text[]) as s(tenant_id, pool)`,
    values: [shards.map((s) => s.tenant), shards.map((s) => s.pool)],
  })
  return rows.filter((row) => row.locked).map(({ tenant, pool }) => ({ tenant, pool }))
}
