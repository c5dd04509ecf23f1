import type { Counted } from './scaling-store.ts'
import type { PoolSignals } from './signals.ts'

/** A pool at one moment, in totals. */
export interface PoolReading {
  readonly agents: number
  readonly slots: number
  readonly used: number
  readonly queueDepth: number
  readonly oldestAt: Date | null
  readonly completed: number
  readonly busyMs: number
}

/** The weight of what just ended in the mean time of a task. */
const freshness = 0.5

/** The signals of this moment, from totals now and at the look before; and the totals for the look after. */
export function measurePool(
  reading: PoolReading,
  before: Counted | null,
  now: Date,
): { readonly signals: PoolSignals; readonly counted: Counted } {
  const spanMs = before === null ? 0 : Math.max(0, now.getTime() - Date.parse(before.at))
  const since = (what: 'completed' | 'busyMs' | 'queueDepth' | 'used') =>
    before === null ? 0 : reading[what] - before[what]
  const ended = Math.max(0, since('completed'))
  const serviceMs = serviceOf(before?.serviceMs ?? null, ended, Math.max(0, since('busyMs')))
  const { agents, slots, used, queueDepth } = reading
  return {
    signals: {
      at: now,
      agents,
      slotsPerAgent: agents === 0 ? 1 : Math.max(1, slots / agents),
      used,
      queueDepth,
      waitMs: reading.oldestAt === null ? 0 : Math.max(0, now.getTime() - reading.oldestAt.getTime()),
      spanMs,
      // What came has ended, waits, or is at work.
      arrivals: Math.max(0, ended + since('queueDepth') + since('used')),
      throughput: spanMs === 0 ? 0 : (ended * 1_000) / spanMs,
      serviceMs,
    },
    counted: {
      at: now.toISOString(),
      completed: reading.completed,
      busyMs: reading.busyMs,
      queueDepth,
      used,
      serviceMs,
    },
  }
}

function serviceOf(former: number | null, ended: number, busyMs: number): number | null {
  if (ended === 0) return former
  const fresh = busyMs / ended
  return former === null ? fresh : former + (fresh - former) * freshness
}
