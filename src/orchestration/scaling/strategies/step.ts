import type { ScalingPolicy } from '../scaling-policy.ts'
import { type PoolSignals, utilisationOf } from '../signals.ts'
import { keep, type Recommendation, type ScalingView } from './recommendation.ts'

/** The step whose bound the metric has passed furthest. */
export function step(view: ScalingView): Recommendation {
  const { signals, policy } = view
  const { metric } = policy.step
  const value = metricOf(signals, metric)
  const shown = `${metric} ${value.toFixed(2)}`
  const out = policy.step.out.filter((rule) => value >= rule.at).sort((a, b) => b.at - a.at)[0]
  if (out !== undefined)
    return { agents: signals.agents + sizeOf(out, signals.agents), reason: `${shown} is at or above ${out.at}` }
  const down = policy.step.in.filter((rule) => value <= rule.at).sort((a, b) => a.at - b.at)[0]
  if (down === undefined) return keep(view, `${shown} calls for no step`)
  const agents = Math.max(0, signals.agents - sizeOf(down, signals.agents))
  return { agents, reason: `${shown} is at or below ${down.at}` }
}

type Rule = ScalingPolicy['step']['out'][number]

function sizeOf({ change, percent }: Rule, agents: number): number {
  return percent ? Math.max(1, Math.ceil((agents * change) / 100)) : change
}

function metricOf(signals: PoolSignals, metric: ScalingPolicy['step']['metric']): number {
  const { agents, slotsPerAgent, used, queueDepth, waitMs } = signals
  switch (metric) {
    case 'load':
      return (used + queueDepth) / Math.max(1, agents * slotsPerAgent)
    case 'queue_per_agent':
      return queueDepth / Math.max(1, agents)
    case 'utilisation':
      return utilisationOf(signals)
    case 'wait_time':
      return waitMs
  }
}
