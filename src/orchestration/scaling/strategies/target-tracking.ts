import { demandOf } from '../demand.ts'
import type { ScalingPolicy } from '../scaling-policy.ts'
import { keep, type Recommendation, type ScalingView } from './recommendation.ts'

type Target = ScalingPolicy['targetTracking']

/** As many agents as keep their slots busy to the target, over what the last minutes and the queue need. */
export function targetTracking(view: ScalingView): Recommendation {
  const target = view.policy.targetTracking
  return track(view, target, demandOf(view.signals, view.history, target, view.now), 'demand')
}

/** Agents for a demand in slots. Within the tolerance around the target nothing changes, unless something waits. */
export function track(view: ScalingView, target: Target, demand: number, word: string): Recommendation {
  const { signals } = view
  const { agents, slotsPerAgent, queueDepth } = signals
  const slots = agents * slotsPerAgent
  const wanted = Math.ceil(demand / target.utilisation / slotsPerAgent - 1e-9)
  const ratio = slots === 0 ? Number.POSITIVE_INFINITY : demand / slots / target.utilisation
  const shown = `${word} ${demand.toFixed(1)} of ${slots} slots, target ${target.utilisation}`
  if (demand === 0) return { agents: 0, reason: 'nothing to do' }
  if (Math.abs(ratio - 1) <= target.tolerance && (queueDepth === 0 || wanted <= agents)) {
    return keep(view, `${shown}: within the tolerance`)
  }
  return { agents: wanted, reason: shown }
}
