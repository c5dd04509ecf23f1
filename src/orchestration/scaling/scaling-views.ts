import type { ScalingDecision } from './decide-scale.ts'
import type { ScalingExplanation } from './scaling-contract.ts'
import { type PoolSignals, throughputDropOf, utilisationOf } from './signals.ts'

/** Below this use, with an empty queue, load counts as low for those who read it. Policies have thresholds of their own. */
const lowUtilisation = 0.3

export function viewOf(what: {
  readonly pool: string
  readonly strategy: ScalingExplanation['strategy']
  readonly decision: Pick<ScalingDecision, 'outcome' | 'from' | 'to' | 'reason' | 'steps'>
  readonly signals: PoolSignals
  readonly before: PoolSignals | undefined
}): ScalingExplanation {
  const { pool, strategy, decision, signals, before } = what
  const utilisation = utilisationOf(signals)
  return {
    pool,
    at: signals.at.toISOString(),
    strategy,
    outcome: decision.outcome,
    from: decision.from,
    to: decision.to,
    reason: decision.reason,
    steps: [...decision.steps],
    signals: {
      at: signals.at.toISOString(),
      agents: signals.agents,
      queueDepth: signals.queueDepth,
      waitMs: signals.waitMs,
      utilisation,
      throughput: signals.throughput,
      throughputDrop: throughputDropOf(signals, before),
      lowLoad: signals.queueDepth === 0 && utilisation < lowUtilisation,
    },
  }
}
