import { parseDuration } from '../../foundation/kernel/units.ts'

/**
 * Over which time a budget counts. `total`: for ever. `run`: each run below it by itself. `day` and `month`: of the
 * calendar, UTC. A duration such as `5h`: from the first hold on, as the windows of subscriptions go.
 */
export type TimeWindow = 'total' | 'run' | 'day' | 'month' | `${number}${'s' | 'm' | 'h' | 'd'}`

export interface WindowSpan {
  readonly start: Date
  readonly end: Date
}

const durationPattern = /^\d+[smhd]$/

export function isTimeWindow(text: string): text is TimeWindow {
  return ['total', 'run', 'day', 'month'].includes(text) || (durationPattern.test(text) && parseDuration(text) > 0)
}

/** The window of this kind that begins at `now` or holds it; null where the kind has none. */
export function windowAt(kind: TimeWindow, now: Date): WindowSpan | null {
  if (kind === 'total' || kind === 'run') return null
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  if (kind === 'day')
    return { start: new Date(Date.UTC(year, month, day)), end: new Date(Date.UTC(year, month, day + 1)) }
  if (kind === 'month') return { start: new Date(Date.UTC(year, month)), end: new Date(Date.UTC(year, month + 1)) }
  return { start: now, end: new Date(now.getTime() + parseDuration(kind)) }
}

/** Whether a budget with this window counts what is drawn of a subscription whose windows have this length. */
export function countsWindow(budgetWindow: string, subscriptionWindow: string): boolean {
  return !/^\d/.test(budgetWindow) || budgetWindow === subscriptionWindow
}
