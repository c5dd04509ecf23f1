import type { Tx } from '../../foundation/platform/database/database.ts'
import { isTimeWindow } from '../budgets/budget-windows-contract.ts'
import { rollWindows } from '../budgets/sql/roll-windows.ts'
import { settleFormer } from '../budgets/sql/settle-former.ts'
import { applyCounters, type BudgetDelta, type DisplacedDelta } from './sql/apply-counters.ts'

/**
 * Writes what belongs to another window of a budget than that of its row: attempts settle in the window in which they were
 * leased, and whoever is leased after a window begins the next. False: the budgets were taken by somebody else meanwhile.
 */
export async function applyDisplaced(tx: Tx, displaced: readonly DisplacedDelta[], now: Date): Promise<boolean> {
  if (displaced.length === 0) return true
  const former = displaced.flatMap((delta) => (delta.at == null ? [] : [{ ...delta, at: delta.at }]))
  const taking = displaced.filter((delta) => delta.at == null)
  const homeless = await settleFormer(tx, former)
  const begin = taking.flatMap(({ tenant, budget, timeWindow }) =>
    isTimeWindow(timeWindow) ? [{ tenant, id: budget, timeWindow }] : [],
  )
  await rollWindows(tx, begin, now)
  const budgets: BudgetDelta[] = [...homeless, ...taking].map((delta) => ({ ...delta, at: null }))
  if (budgets.length === 0) return true
  const applied = await applyCounters(tx, { agents: [], steps: [], budgets }, now)
  return applied.budgetsHeld && applied.displaced.length === 0
}
