import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/** What attempts of one window give back and spend of a budget, which the caller has locked. */
export interface FormerHold {
  readonly tenant: TenantId
  readonly budget: string
  /** Negative: it is given back. */
  readonly held: number
  readonly spent: number
  /** A moment of the window. */
  readonly at: string
}

/**
 * Settles holds of leased tasks in the windows in which they were leased. Returns those for which there is none: an older
 * version of the program has carried them over into a later window, where that is kept as the first that holds so much.
 */
export async function settleFormer<T extends FormerHold>(tx: Tx, holds: readonly T[]): Promise<readonly T[]> {
  const left: T[] = []
  // One at a time: two of them may give back to one window, and a statement changes a row once.
  for (const hold of holds) {
    const { tenant, budget, held, spent, at } = hold
    const written = await tx.execute(sql`
      update budget_windows w set held = w.held + ${held}::bigint, leased = w.leased + ${held}::bigint, spent = w.spent + ${spent}::bigint
      where w.tenant_id = ${tenant} and w.budget_id = ${budget} and w.window_start = (
        select f.window_start from budget_windows f
        where f.tenant_id = ${tenant} and f.budget_id = ${budget} and f.window_end > ${at}::timestamptz and f.leased + ${held}::bigint >= 0
        order by f.window_start limit 1)`)
    if (written === 0) left.push(hold)
  }
  return left
}
