import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { isTimeWindow } from './budget-windows-contract.ts'
import { type BoundBudget, lockBudgets, recordSpending, type SpendingRecord } from './sql/record-spending.ts'
import { rollWindows } from './sql/roll-windows.ts'

export interface ReportedSpending extends SpendingRecord {
  /** Budgets that bind it by name. */
  readonly budgetIds: readonly string[]
  /** And those that bind it by what they are for. */
  readonly scopes: readonly { readonly scope: string; readonly scopeId: string }[]
}

/**
 * Records what an agent says it has spent. It has been spent: limits are not asked, and stop only what would start next.
 * Returns how many of the reports were new.
 */
export async function reportSpending(tx: Tx, reports: readonly ReportedSpending[], now: Date): Promise<number> {
  if (reports.length === 0) return 0
  const named = reports.flatMap(({ tenant, budgetIds }) => budgetIds.map((id) => ({ tenant, id })))
  const places = reports.flatMap(({ tenant, scopes }) => scopes.map((place) => ({ tenant, ...place })))
  let budgets = await lockBudgets(tx, named, places)
  const over = budgets.flatMap(({ tenant, budget, timeWindow, windowEnd }) => {
    if (!isTimeWindow(timeWindow) || timeWindow === 'total' || timeWindow === 'run') return []
    return windowEnd === null || windowEnd <= now ? [{ tenant, id: budget, timeWindow }] : []
  })
  if (over.length > 0) {
    await rollWindows(tx, over, now)
    budgets = await lockBudgets(tx, named, places)
  }
  const byName = new Map(budgets.map((row) => [keyOf(row.tenant, row.budget), row]))
  const byPlace = Map.groupBy(budgets, (row) => keyOf(row.tenant, `${row.scope} ${row.scopeId}`))
  const lines = reports.map(({ tenant, units, budgetIds, scopes }) => {
    const found = new Map<string, BoundBudget>()
    for (const id of budgetIds) {
      const row = byName.get(keyOf(tenant, id))
      if (row !== undefined) found.set(row.budget, row)
    }
    for (const { scope, scopeId } of scopes) {
      for (const row of byPlace.get(keyOf(tenant, `${scope} ${scopeId}`)) ?? []) found.set(row.budget, row)
    }
    return [...found.values()].filter((row) => units.includes(row.unit))
  })
  return recordSpending(tx, reports, lines, now)
}

function keyOf(tenant: TenantId, name: string): string {
  return `${tenant}/${name}`
}
