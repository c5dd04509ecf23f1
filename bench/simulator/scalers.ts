import { decideScale } from '../../src/orchestration/scaling/decide-scale.ts'
import type { ScalingPolicyInput } from '../../src/orchestration/scaling/scaling-contract.ts'
import { resolvePolicy } from '../../src/orchestration/scaling/scaling-policy.ts'
import type { Sample } from '../../src/orchestration/scaling/signals.ts'
import type { Scaler } from './scale-fleet.ts'

/** The product's decision, with the history that its store would keep. */
export function policyScaler(input: ScalingPolicyInput, initial: number): Scaler {
  const policy = resolvePolicy(input)
  let samples: Sample[] = []
  let lastOutAt: Date | null = null
  let lastInAt: Date | null = null
  return {
    everyMs: policy.everyMs,
    initial,
    decide(signals, _seen, now) {
      const at = new Date(now)
      const decision = decideScale(signals, policy, { samples, lastOutAt, lastInAt }, at)
      samples = [...samples.slice(-100), { ...signals, recommended: decision.recommended }]
      if (decision.outcome === 'out') lastOutAt = at
      if (decision.outcome === 'in') lastInAt = at
      return decision.to
    },
  }
}

export interface HpaSettings {
  readonly target: number
  readonly tolerance: number
  readonly min: number
  readonly max: number
  readonly downWindowMs: number
}

/**
 * The Kubernetes HorizontalPodAutoscaler as its documentation gives it: desired = ceil(current x metric / target), nothing
 * within the tolerance; agents that are not ready count as idle when it scales up; down by the highest recommendation of the
 * window; up by at most the larger of 100 % and four every 15 s. The metric is the mean utilisation since the look before.
 */
export function horizontalPodAutoscaler(settings: HpaSettings, initial: number): Scaler {
  const recommended: { readonly at: number; readonly agents: number }[] = []
  return {
    everyMs: 15_000,
    initial,
    decide({ agents }, { ready, meanUsed }, now) {
      const wanted = desiredOf(agents, ready, meanUsed, settings)
      recommended.push({ at: now, agents: wanted })
      while (recommended[0]!.at <= now - settings.downWindowMs) recommended.shift()
      const highest = Math.max(...recommended.map((one) => one.agents))
      const to = wanted < agents ? Math.min(agents, highest) : Math.min(wanted, Math.max(agents * 2, agents + 4))
      return Math.min(settings.max, Math.max(settings.min, to))
    },
  }
}

function desiredOf(agents: number, ready: number, meanUsed: number, { target, tolerance }: HpaSettings): number {
  if (ready === 0) return agents
  const ratio = Math.min(1, meanUsed / ready) / target
  if (Math.abs(ratio - 1) <= tolerance) return agents
  if (ratio < 1 || ready === agents) return Math.ceil(ratio * ready - 1e-9) + (ratio < 1 ? agents - ready : 0)
  const damped = Math.min(meanUsed, ready) / agents / target
  return damped <= 1 + tolerance ? agents : Math.ceil(damped * agents - 1e-9)
}
