import type { Tx } from '../../foundation/platform/database/database.ts'
import type { BudgetDelta, DisplacedDelta } from '../coordinator/sql/apply-counters.ts'
import { isTimeWindow } from './budget-windows-contract.ts'
import { rollWindows } from './sql/roll-windows.ts'
import { settleFormer } from './sql/settle-former.ts'

/**
 * Writes what belongs to a former window of a budget, for attempts settle in the window in which they were leased, and
 * begins the windows of those who are leased after the last one. Returns what is left for the windows of the rows.
 */
export async function settleOtherWindows(
  tx: Tx,
  displaced: readonly DisplacedDelta[],
  now: Date,
): Promise<readonly BudgetDelta[]> {
  const former = displaced.flatMap((delta) => (delta.at == null ? [] : [{ ...delta, at: delta.at }]))
  const taking = displaced.filter((delta) => delta.at == null)
  const homeless = await settleFormer(tx, former)
  const begin = taking.flatMap(({ tenant, budget, timeWindow }) =>
    isTimeWindow(timeWindow) ? [{ tenant, id: budget, timeWindow }] : [],
  )
  await rollWindows(tx, begin, now)
  return [...homeless, ...taking].map((delta) => ({ ...delta, at: null }))
}
