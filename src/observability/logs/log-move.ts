import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/**
 * Transactions have other numbers in another database. Followers of a run only compare those of its chunks, so that their
 * order within the run is all that has to survive a move.
 */
export const movedLogChunks = {
  table: 'log_chunks',
  column: 'xid',
  /** In place of the column, when rows are read to be moved. */
  expression: '(2 + dense_rank() over (partition by tenant_id, run_id order by xid))::text',
} as const

/** How many transaction numbers the chunks of one run need, at most. */
export async function mostChunkTransactions(tx: ReadTx): Promise<number> {
  const [row] = await tx.query<{ most: number }>(sql`
    select coalesce(max(n), 0)::int as most from (
      select count(distinct xid) as n from log_chunks group by tenant_id, run_id) each`)
  return row!.most
}
