import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/**
 * Takes the names that no other transaction has taken, until this one ends, and returns those. A statement of its own: what
 * is read of their resources must be younger than the lock.
 */
export async function lockResources(tx: ReadTx, names: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ name: string; locked: boolean }>(sql`
    select name, pg_try_advisory_xact_lock(hashtextextended(name, 2)) as locked
    from unnest(${names}::text[]) as n(name)`)
  return new Set(rows.filter((row) => row.locked).map((row) => row.name))
}
