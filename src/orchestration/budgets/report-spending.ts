import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { countsWindow, isTimeWindow } from './budget-windows-contract.ts'
import {
  type BoundBudget,
  lockBudgets,
  readFormerWindows,
  recordSpending,
  type SpendingLine,
  type SpendingRecord,
} from './sql/record-spending.ts'
import { rollWindows } from './sql/roll-windows.ts'
import { windowThen } from './window-then.ts'

export interface ReportedSpending extends SpendingRecord {
  /** Budgets that bind it by name. */
  readonly budgetIds: readonly string[]
  /** And those that bind it by what they are for. */
  readonly scopes: readonly { readonly scope: string; readonly scopeId: string }[]
  /** When it began to be spent: it counts in the windows of that moment. Null: in the present ones. */
  readonly since: Date | null
  /** It is a share of a window of this length, and means nothing to budgets with others. Absent: every budget counts it. */
  readonly countedIn?: string
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
  const former = await readFormerWindows(tx, budgets, earliest(reports))
  const then = (row: BoundBudget, since: Date | null) =>
    windowThen(row, since, now, former.get(keyOf(row.tenant, row.budget)) ?? [])
  const begin = bind(reports, budgets).flatMap(({ rows, since }) => rows.filter((row) => then(row, since) === 'begin'))
  if (begin.length > 0) {
    const unique = new Map(begin.map((row) => [keyOf(row.tenant, row.budget), row]))
    const rolling = [...unique.values()].flatMap(({ tenant, budget, timeWindow }) =>
      isTimeWindow(timeWindow) ? [{ tenant, id: budget, timeWindow }] : [],
    )
    await rollWindows(tx, rolling, now)
    budgets = await lockBudgets(tx, named, places)
  }
  const lines = bind(reports, budgets).map(({ rows, since }) =>
    rows.map((row): SpendingLine => {
      const window = then(row, since)
      return typeof window === 'string' ? { ...row, former: null } : { ...row, former: window }
    }),
  )
  return recordSpending(tx, reports, lines, now)
}

/** The budgets of each report, in the units that it tells. */
function bind(reports: readonly ReportedSpending[], budgets: readonly BoundBudget[]) {
  const byName = new Map(budgets.map((row) => [keyOf(row.tenant, row.budget), row]))
  const byPlace = Map.groupBy(budgets, (row) => keyOf(row.tenant, `${row.scope} ${row.scopeId}`))
  return reports.map(({ tenant, units, budgetIds, scopes, since, countedIn }) => {
    const found = new Map<string, BoundBudget>()
    for (const id of budgetIds) {
      const row = byName.get(keyOf(tenant, id))
      if (row !== undefined) found.set(row.budget, row)
    }
    for (const { scope, scopeId } of scopes) {
      for (const row of byPlace.get(keyOf(tenant, `${scope} ${scopeId}`)) ?? []) found.set(row.budget, row)
    }
    const counts = (row: BoundBudget) =>
      units.includes(row.unit) && (countedIn === undefined || countsWindow(row.timeWindow, countedIn))
    return { rows: [...found.values()].filter(counts), since }
  })
}

function earliest(reports: readonly ReportedSpending[]): Date | null {
  const moments = reports.flatMap(({ since }) => (since === null ? [] : [since.getTime()]))
  return moments.length === 0 ? null : new Date(Math.min(...moments))
}

function keyOf(tenant: TenantId, name: string): string {
  return `${tenant}/${name}`
}
