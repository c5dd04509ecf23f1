import type { RecentEvents } from '../../foundation/runtime/log-figures.ts'
import type { Monitor } from './monitor-contract.ts'

/** Rates from the endings counted over one minute and over five. Pure. */
export function ratesOf({ types, coveredSince }: RecentEvents, now: Date): Monitor['rates'] {
  const total = (window: 0 | 1) => types.reduce((sum, { counts }) => sum + counts[window]!, 0)
  const countOf = (name: string) => types.find(({ type }) => type === name)?.counts[1] ?? 0
  // What people took back has not failed, and says nothing of what would have become of it.
  const judged = total(1) - countOf('task.cancelled')
  const ended = total(1)
  const covered = coveredSince === null ? Number.POSITIVE_INFINITY : (now.getTime() - coveredSince.getTime()) / 1_000
  // Less than a second cannot tell a rate.
  const perSecond = (count: number, seconds: number) => count / Math.max(1, Math.min(seconds, covered))
  return {
    throughput1m: perSecond(total(0), 60),
    throughput5m: perSecond(ended, 300),
    failures5m: judged === 0 ? null : (judged - countOf('task.succeeded')) / judged,
  }
}
