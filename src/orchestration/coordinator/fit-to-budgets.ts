import { killGraceMs, leastTimeoutMs, renews } from '../budgets/budget-rules-contract.ts'

/** A budget that binds a waiting task, and what an attempt would hold of it. */
export interface HeldBudget {
  readonly id: string
  readonly unit: string
  readonly scope: string
  /** Null: no limit. */
  readonly limit: number | null
  /** What is not spent of the limit; some of it may be held by others. Null: no limit. */
  readonly left: number | null
  readonly hold: number
}

export type Fit =
  | { readonly kind: 'fits' }
  /** It fits with less time. The holds are beside the budgets. */
  | { readonly kind: 'shorten'; readonly timeoutMs: number; readonly holds: readonly number[] }
  /** It will never fit: what is spent does not come back. */
  | { readonly kind: 'exhausted'; readonly budget: HeldBudget; readonly needed: number }
  /** It fits when the next window of a budget begins; then it is woken. */
  | { readonly kind: 'waits' }

const timed: ReadonlySet<string> = new Set(['wall-ms', 'cpu-ms'])

/** Whether what is not spent of its budgets admits a task once all others have settled, and at what price. */
export function fitToBudgets(timeoutMs: number, budgets: readonly HeldBudget[]): Fit {
  const held = timeoutMs + killGraceMs
  let time = timeoutMs
  for (const budget of budgets) {
    const { unit, left, hold } = budget
    if (left === null || left >= Math.max(1, hold)) continue
    // Time is held in proportion: an attempt of half the time holds half as much.
    const rate = hold / held
    const needed = timed.has(unit) ? Math.ceil((leastTimeoutMs + killGraceMs) * rate) : Math.max(1, hold)
    if (renews(budget.id) && (budget.limit ?? 0) >= Math.max(1, hold)) return { kind: 'waits' }
    if (left < needed) return { kind: 'exhausted', budget, needed }
    time = Math.max(leastTimeoutMs, Math.min(time, Math.floor(left / rate) - killGraceMs))
  }
  if (time === timeoutMs) return { kind: 'fits' }
  const share = (time + killGraceMs) / held
  const holds = budgets.map(({ unit, hold, left }) =>
    timed.has(unit) ? Math.min(Math.ceil(hold * share), left ?? Number.POSITIVE_INFINITY) : hold,
  )
  return { kind: 'shorten', timeoutMs: time, holds }
}
