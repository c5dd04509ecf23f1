import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/**
 * Takes the runners from which nobody else is handing out work, until the transaction ends, and returns those. Only for
 * runners whose agents share a capacity: agents of several pools and tenants live on one runner, and their shards are locked
 * one by one. A statement of its own: what is read of a runner must be younger than its lock.
 */
export async function lockRunners(tx: ReadTx, runners: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: string; locked: boolean }>(sql`
    select id, pg_try_advisory_xact_lock(hashtextextended(id, 2)) as locked from unnest(${runners}::text[]) as r(id)`)
  return new Set(rows.filter((row) => row.locked).map((row) => row.id))
}
