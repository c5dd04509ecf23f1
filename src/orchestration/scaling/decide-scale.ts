import { formatDuration } from '../../foundation/kernel/units.ts'
import { lastSlot } from '../../foundation/platform/calendar/cron.ts'
import type { Forecaster, SeriesPoint } from './forecaster.ts'
import type { ScalingStrategy } from './scaling-contract.ts'
import type { ScalingPolicy } from './scaling-policy.ts'
import { seasonalNaive } from './seasonal-naive.ts'
import type { PoolSignals, ScalingHistory } from './signals.ts'
import { predictive } from './strategies/predictive.ts'
import type { LastSlot, ScalingView, Strategy } from './strategies/recommendation.ts'
import { scheduled } from './strategies/scheduled.ts'
import { simple } from './strategies/simple.ts'
import { step } from './strategies/step.ts'
import { targetTracking } from './strategies/target-tracking.ts'

const strategies: Readonly<Record<ScalingStrategy, Strategy>> = {
  simple,
  step,
  target_tracking: targetTracking,
  scheduled,
  predictive,
}

export interface ScalingDecision {
  readonly outcome: 'out' | 'in' | 'none'
  readonly from: number
  readonly to: number
  /** What the strategy alone wanted; kept with the sample, for the stabilisation windows. */
  readonly recommended: number
  /** One sentence: what decided. */
  readonly reason: string
  /** Every thought, in order. */
  readonly steps: readonly string[]
}

export interface Foresight {
  readonly forecaster?: Forecaster
  readonly demand?: readonly SeriesPoint[]
  readonly lastSlot?: LastSlot
}

/**
 * How many agents a pool should have. Pure: the strategy recommends; then stabilisation windows, cool-downs, the largest
 * step and the bounds have their say, in that order, each with its own line in the explanation.
 */
export function decideScale(
  signals: PoolSignals,
  policy: ScalingPolicy,
  history: ScalingHistory,
  now: Date,
  foresight: Foresight = {},
): ScalingDecision {
  const view: ScalingView = {
    signals,
    policy,
    history,
    now,
    lastSlot: foresight.lastSlot ?? lastSlot,
    forecaster: foresight.forecaster ?? seasonalNaive,
    demand: foresight.demand ?? [],
  }
  const from = signals.agents
  const { agents: recommended, reason } = strategies[policy.strategy](view)
  const trail = new Trail(`${policy.strategy} wants ${recommended}: ${reason}`, reason)
  let to = recommended
  to = wakeFromZero(view, to, trail)
  to = watchFirst(view, to, trail)
  to = stabilise(view, to, trail)
  to = stayAboveZero(view, to, trail)
  to = coolDown(view, to, trail)
  to = limitStep(view, to, trail)
  to = bound(view, to, trail)
  const outcome = to > from ? 'out' : to < from ? 'in' : 'none'
  trail.say(outcome === 'none' ? `stays at ${from}` : `goes from ${from} to ${to}`)
  // What was wanted moves it; a limit says only why it moves no further.
  const told = outcome === 'none' || trail.reason === reason ? trail.reason : `${reason}; ${trail.reason}`
  return { outcome, from, to, recommended, reason: told, steps: trail.lines }
}

class Trail {
  readonly lines: string[]
  reason: string

  constructor(first: string, reason: string) {
    this.lines = [first]
    this.reason = reason
  }

  say(line: string): void {
    this.lines.push(line)
  }

  /** A limit that changed the outcome is the reason. */
  limit(line: string): void {
    this.lines.push(line)
    this.reason = line
  }
}

/** Work that waits for the first agent needs one, whatever the strategy says. */
function wakeFromZero({ signals, policy }: ScalingView, to: number, trail: Trail): number {
  if (signals.agents > 0 || signals.queueDepth === 0 || to > 0 || policy.strategy === 'scheduled') return to
  trail.limit('tasks wait and there is no agent: one is started')
  return 1
}

/** Until the load was watched for as long as the policy remembers it, a pool keeps what it had at the first look. */
function watchFirst({ signals, policy, history, now }: ScalingView, to: number, trail: Trail): number {
  const first = history.samples[0] ?? { ...signals, at: now }
  const floor = Math.min(first.agents, signals.agents)
  if (to >= floor) return to
  const needed = Math.max(policy.stabiliseInMs, memoryOf(policy))
  const watched = now.getTime() - first.at.getTime()
  if (watched >= needed) return to
  trail.limit(`watched for ${formatDuration(watched)} of ${formatDuration(needed)}: not fewer than ${floor} yet`)
  return floor
}

function memoryOf({ strategy, targetTracking: tracking, predictive: ahead }: ScalingPolicy): number {
  if (strategy === 'target_tracking') return tracking.windowMs
  return strategy === 'predictive' ? ahead.windowMs : 0
}

function stabilise({ signals, policy, history, now }: ScalingView, to: number, trail: Trail): number {
  const from = signals.agents
  const within = (windowMs: number) =>
    history.samples.filter((s) => s.at.getTime() > now.getTime() - windowMs).map((s) => s.recommended)
  if (to < from && policy.stabiliseInMs > 0) {
    const highest = Math.min(from, Math.max(to, ...within(policy.stabiliseInMs)))
    if (highest > to) {
      const line = `up to ${highest} were wanted within ${formatDuration(policy.stabiliseInMs)}, so not fewer than that`
      if (highest === from) trail.limit(line)
      else trail.say(line)
    }
    return highest
  }
  if (to > from && policy.stabiliseOutMs > 0 && from > 0) {
    const lowest = Math.max(from, Math.min(to, ...within(policy.stabiliseOutMs)))
    if (lowest < to) {
      const line = `as few as ${lowest} were wanted within ${formatDuration(policy.stabiliseOutMs)}, so not more than that`
      if (lowest === from) trail.limit(line)
      else trail.say(line)
    }
    return lowest
  }
  return to
}

/** The last agent goes only when nothing was to be done for a while. */
function stayAboveZero({ signals, policy, history, now }: ScalingView, to: number, trail: Trail): number {
  if (to > 0 || signals.agents === 0 || policy.min > 0 || policy.strategy === 'scheduled') return to
  const busy = (s: PoolSignals) => s.used > 0 || s.queueDepth > 0
  const recent = history.samples.filter((s) => s.at.getTime() > now.getTime() - policy.idleMs)
  const known = history.samples.some((s) => s.at.getTime() <= now.getTime() - policy.idleMs) || policy.idleMs === 0
  if (known && !busy(signals) && !recent.some(busy)) return 0
  trail.limit(`the last agent stays until it was idle for ${formatDuration(policy.idleMs)}`)
  return 1
}

/** Agents just added or taken away have to show what they change before more follow. From zero there is no waiting. */
function coolDown({ signals, policy, history, now }: ScalingView, to: number, trail: Trail): number {
  const from = signals.agents
  if (to === from || (from === 0 && to > 0)) return to
  const last = Math.max(
    history.lastOutAt?.getTime() ?? Number.NEGATIVE_INFINITY,
    to < from ? (history.lastInAt?.getTime() ?? Number.NEGATIVE_INFINITY) : Number.NEGATIVE_INFINITY,
  )
  const cooldown = to > from ? policy.cooldownOutMs : policy.cooldownInMs
  const left = last + cooldown - now.getTime()
  if (!(left > 0)) return to
  trail.limit(`cool-down: ${formatDuration(left)} left of ${formatDuration(cooldown)}`)
  return from
}

function limitStep({ signals, policy }: ScalingView, to: number, trail: Trail): number {
  const from = signals.agents
  const limited = Math.min(from + policy.maxStepOut, Math.max(from - policy.maxStepIn, to))
  if (limited !== to) trail.say(`at most ${to > from ? policy.maxStepOut : policy.maxStepIn} at a time: ${limited}`)
  return limited
}

function bound({ signals, policy }: ScalingView, to: number, trail: Trail): number {
  const bounded = Math.min(policy.max, Math.max(policy.min, to))
  if (bounded === to) return to
  const line = to > policy.max ? `max is ${policy.max}` : `min is ${policy.min}`
  if (bounded === signals.agents || signals.agents < policy.min || signals.agents > policy.max) trail.limit(line)
  else trail.say(line)
  return bounded
}
