import { demandOf } from '../demand.ts'
import type { Recommendation, ScalingView } from './recommendation.ts'
import { track } from './target-tracking.ts'

/** Target tracking for the demand that is forecast, where it is above that of now: agents are there before the load is. */
export function predictive(view: ScalingView): Recommendation {
  const target = view.policy.predictive
  const present = demandOf(view.signals, view.history, target, view.now)
  const at = new Date(view.now.getTime() + target.leadMs)
  const forecast = view.forecaster.forecast(view.demand, at, target.seasonMs)
  if (forecast === null) {
    const { agents, reason } = track(view, target, present, 'demand')
    return { agents, reason: `no forecast yet; ${reason}` }
  }
  const ahead = track(view, target, Math.max(present, forecast.value), forecast.value > present ? 'forecast' : 'demand')
  return { agents: ahead.agents, reason: `${ahead.reason} (${forecast.method}: ${forecast.value.toFixed(1)})` }
}
