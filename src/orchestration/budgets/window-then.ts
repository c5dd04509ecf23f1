import { isTimeWindow, type WindowSpan, windowAt } from './budget-windows-contract.ts'

export interface WindowedBudget {
  readonly timeWindow: string
  readonly windowStart: Date | null
  readonly windowEnd: Date | null
}

/** Where something counts that was begun at `since` and is told now. `begin`: in the present window, which has yet to begin. */
export type WindowThen = 'present' | 'begin' | WindowSpan

/**
 * The window of a budget that held a moment. Windows of the calendar are known; of those that begin with their first use only
 * the ones on record are (`former`). What was begun in none of them counts now. `since` null: now.
 */
export function windowThen(
  budget: WindowedBudget,
  since: Date | null,
  now: Date,
  former: readonly WindowSpan[],
): WindowThen {
  const { timeWindow, windowStart, windowEnd } = budget
  if (!isTimeWindow(timeWindow) || timeWindow === 'total' || timeWindow === 'run') return 'present'
  const moment = since ?? now
  if (windowStart !== null && windowEnd !== null && holds({ start: windowStart, end: windowEnd }, moment))
    return 'present'
  const begun = windowStart !== null && windowEnd !== null && windowStart <= now && now < windowEnd
  const then = /^\d/.test(timeWindow) ? former.find((span) => holds(span, moment)) : windowAt(timeWindow, moment)
  if (then != null && then.end <= now) return then
  return begun ? 'present' : 'begin'
}

function holds({ start, end }: WindowSpan, moment: Date): boolean {
  return start <= moment && moment < end
}
