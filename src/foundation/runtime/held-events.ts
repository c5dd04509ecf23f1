import { formatDuration } from '../kernel/units.ts'
import type { HeldDay } from './event-partitions.ts'

/** A durable reader that keeps old events from being dropped, as a log tells it. */
export interface HeldEvents {
  readonly message: string
  readonly fields: {
    readonly cursor: string
    /** Since its cursor last moved, ms. */
    readonly idleMs: number
    /** The oldest day (UTC) it keeps, and how many there are. */
    readonly oldestDay: string
    readonly days: number
  }
}

/** One entry for each cursor that holds days of events, the one with the oldest day first. */
export function describeHeldEvents(held: readonly HeldDay[], now: Date): readonly HeldEvents[] {
  const byCursor = new Map<string, { readonly days: string[]; readonly movedAt: Date }>()
  for (const { day, cursors } of held.toSorted((a, b) => (a.day < b.day ? -1 : 1))) {
    for (const { name, movedAt } of cursors) {
      const known = byCursor.get(name)
      if (known === undefined) byCursor.set(name, { days: [day], movedAt })
      else known.days.push(day)
    }
  }
  return [...byCursor].map(([cursor, { days, movedAt }]) => {
    const idleMs = Math.max(0, now.getTime() - movedAt.getTime())
    const message =
      `events since ${days[0]} cannot be dropped: the durable cursor ${cursor} has not read them; ` +
      `it last moved ${formatDuration(idleMs)} ago. If nobody reads it any more: leanvibe streaming --action remove-cursor --cursor ${cursor}`
    return { message, fields: { cursor, idleMs, oldestDay: days[0]!, days: days.length } }
  })
}
