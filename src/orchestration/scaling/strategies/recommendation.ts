import type { Forecaster, SeriesPoint } from '../forecaster.ts'
import type { ScalingPolicy } from '../scaling-policy.ts'
import type { PoolSignals, ScalingHistory } from '../signals.ts'

/** The time that a rule of the calendar last named, at or before `at`. */
export type LastSlot = (rule: { readonly cron: string; readonly timeZone: string }, at: Date) => Date | null

/** All that a strategy may look at. */
export interface ScalingView {
  readonly signals: PoolSignals
  readonly policy: ScalingPolicy
  readonly history: ScalingHistory
  readonly now: Date
  readonly lastSlot: LastSlot
  readonly forecaster: Forecaster
  /** The demand of the past, for forecasts; it reaches back further than the history. */
  readonly demand: readonly SeriesPoint[]
}

export interface Recommendation {
  /** Agents there should be, before any limit. A whole number from 0 up. */
  readonly agents: number
  readonly reason: string
}

/** One way to know how many agents are wanted. Pure. */
export type Strategy = (view: ScalingView) => Recommendation

export function keep({ signals }: ScalingView, reason: string): Recommendation {
  return { agents: signals.agents, reason }
}
