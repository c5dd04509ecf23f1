import type { ScalingPolicy } from './scaling-policy.ts'
import type { PoolSignals, ScalingHistory } from './signals.ts'

type Target = ScalingPolicy['targetTracking']

/**
 * Slots that the work of one look takes. Tasks shorter than the time between looks are counted as they arrive (Little's
 * law: arrivals a second by the time each takes), because at the look itself most are done already; longer ones, and those
 * of which nothing is known, are seen at work or waiting.
 */
export function offeredLoad(signals: PoolSignals): number {
  const service = shortService(signals)
  return service === null ? signals.used + signals.queueDepth : (signals.arrivals * service) / signals.spanMs
}

/**
 * Slots that are wanted now: what nearly all looks of the window needed, so that neither a single spike is kept for long nor
 * a short lull ends a busy time; or, where it is more, what the present needs.
 */
export function demandOf(signals: PoolSignals, history: ScalingHistory, target: Target, now: Date): number {
  const since = now.getTime() - target.windowMs
  const loads = history.samples.filter((sample) => sample.at.getTime() > since).map(offeredLoad)
  loads.push(offeredLoad(signals))
  return Math.max(quantile(loads, target.percentile), presentNeed(signals, loads.slice(-2), target))
}

/**
 * Slots for the load of the last looks, and for the part of the queue that will still be there when new agents have
 * started: what the present ones will have done by then is not worth starting others for.
 */
function presentNeed(signals: PoolSignals, lastLoads: readonly number[], target: Target): number {
  const service = shortService(signals)
  if (service === null) return signals.used + signals.queueDepth
  const slots = signals.agents * signals.slotsPerAgent
  const recent = lastLoads.reduce((sum, load) => sum + load, 0) / lastLoads.length
  const left = Math.max(0, signals.queueDepth + ((recent - slots) * target.startupMs) / service)
  // A slot takes waitTarget / service tasks within the time they may wait, and one at once.
  return Math.min(recent, slots) + left / (1 + target.waitTargetMs / service)
}

/** Mean time of a task, ms, where tasks are shorter than the time between looks; else null. */
function shortService({ serviceMs, spanMs }: PoolSignals): number | null {
  return serviceMs !== null && serviceMs > 0 && serviceMs < spanMs ? serviceMs : null
}

/** By linear interpolation between the two nearest ranks. */
function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * q
  const below = Math.floor(position)
  const low = sorted[below]!
  return low + (sorted[Math.min(below + 1, sorted.length - 1)]! - low) * (position - below)
}
