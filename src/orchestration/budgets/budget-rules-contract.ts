import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ResolvedBudget, ResolvedWork } from '../workflows/task-contract.ts'

export interface BudgetLeft {
  readonly id: string
  readonly unit: string
  /** What is not spent of its limit; null: it has none. */
  readonly left: number | null
}

/** A budget that binds every task of a run: the tenant's, the workflow's, the run's. */
export interface KnownBudget extends BudgetLeft {
  /** What is neither spent nor held; null: it has no limit. */
  readonly room: number | null
}

/** What a transaction will write as spent at its end. */
export interface PendingSpending {
  /** In the budget's unit. */
  spentOf(tenant: TenantId, budget: string): number
}

/** A budget to be kept from now on. */
export interface NewBudget {
  readonly tenant: TenantId
  readonly id: string
  readonly scope: 'run' | 'task'
  readonly scopeId: string
  readonly unit: string
  readonly hardLimit: number
}

export interface TaskHolds {
  readonly budgetIds: readonly string[]
  /** Beside `budgetIds`, in their units: what one attempt can use at most. */
  readonly holds: readonly number[]
  /** Budgets of the task itself. */
  readonly budgets: readonly NewBudget[]
  /** Shortened where a time budget is smaller than the timeout; null: as it was. */
  readonly timeoutMs: number | null
}

/** No attempt gets less time than this, ms: where a budget has not even that, it admits nothing. */
export const leastTimeoutMs = 1_000

/** Time from the end of a timeout to the certain end of its processes, ms. */
export const killGraceMs = 5_000

export const budgetUnits = {
  microUsd: 'micro-usd',
  tokens: 'tokens',
  runs: 'runs',
  cpuMs: 'cpu-ms',
  wallMs: 'wall-ms',
} as const satisfies Record<keyof ResolvedBudget, string>

/** The units and limits of a budget as the ledger knows them. */
export function limitsOf(budget: ResolvedBudget): readonly { readonly unit: string; readonly limit: number }[] {
  return (Object.keys(budgetUnits) as (keyof ResolvedBudget)[]).flatMap((key) => {
    const limit = budget[key]
    return limit === undefined ? [] : [{ unit: budgetUnits[key], limit }]
  })
}

/**
 * What a task holds in each budget above it. Time is capped by the host, so its bound is timeout + kill grace (times the
 * cores for CPU time); where less is left of a budget, the timeout is shortened to fit. Money and tokens are told afterwards by
 * agents that are not metered: they hold nothing, so such a limit only stops new starts.
 */
export function holdsOf(
  ref: { readonly tenant: TenantId; readonly taskId: string },
  work: ResolvedWork,
  known: readonly BudgetLeft[],
): TaskHolds {
  const own = limitsOf(work.budget).map(
    ({ unit, limit }): NewBudget => ({
      tenant: ref.tenant,
      id: `task:${ref.taskId}:${unit}`,
      scope: 'task',
      scopeId: ref.taskId,
      unit,
      hardLimit: limit,
    }),
  )
  const all = [...own.map(({ id, unit, hardLimit }): BudgetLeft => ({ id, unit, left: hardLimit })), ...known]
  if (all.length === 0) return { budgetIds: [], holds: [], budgets: [], timeoutMs: null }
  const cores = Math.max(1, work.resources.cpuCores)
  let timeoutMs = work.timeoutMs ?? 0
  for (const budget of all) {
    if (budget.left === null) continue
    if (budget.unit === 'wall-ms') timeoutMs = Math.min(timeoutMs, budget.left - killGraceMs)
    if (budget.unit === 'cpu-ms') timeoutMs = Math.min(timeoutMs, Math.floor(budget.left / cores) - killGraceMs)
  }
  timeoutMs = Math.max(leastTimeoutMs, timeoutMs)
  const wall = timeoutMs + killGraceMs
  const hold: Readonly<Record<string, number>> = {
    runs: 1,
    agents: 1,
    'wall-ms': wall,
    'cpu-ms': Math.ceil(wall * cores),
  }
  return {
    budgetIds: all.map((budget) => budget.id),
    holds: all.map((budget) => hold[budget.unit] ?? 0),
    budgets: own,
    timeoutMs,
  }
}

/**
 * Whether a budget begins anew with the next window, by its name: what is spent of it does come back. The names of other
 * budgets end with their unit, or with that of the pattern they were made from.
 */
export function renews(id: string): boolean {
  return /:(?:micro-usd|tokens|runs|cpu-ms|wall-ms|subscription-ppm):(?:day|month|\d+[smhd])$/.test(id)
}
