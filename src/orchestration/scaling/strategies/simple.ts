import { throughputDropOf, utilisationOf } from '../signals.ts'
import { keep, type Recommendation, type ScalingView } from './recommendation.ts'

/** Load has to be steady before agents are taken away: variances of the last three samples, of tasks and of seconds waited. */
const mostQueueVariance = 100
const mostWaitVariance = 1

/** Thresholds. Each rule that speaks for more agents is looked at before those for fewer. */
export function simple(view: ScalingView): Recommendation {
  const { signals, policy, history } = view
  const rules = policy.simple
  const utilisation = utilisationOf(signals)
  const drop = throughputDropOf(signals, history.samples.at(-1))
  const more = (reason: string) => ({ agents: signals.agents + rules.stepOut, reason })
  const fewer = (reason: string) => ({ agents: Math.max(0, signals.agents - rules.stepIn), reason })

  if (signals.queueDepth >= rules.queueDepthThreshold) return more(`high queue depth: ${signals.queueDepth}`)
  if (signals.waitMs > rules.waitThresholdMs) return more(`high wait time: ${Math.round(signals.waitMs)} ms`)
  if (utilisation > rules.scaleUpThreshold) return more(`high utilisation: ${utilisation.toFixed(2)}`)
  if (drop > rules.throughputDropThreshold) return more(`throughput fell by ${Math.round(drop * 100)} %`)

  const calm = isCalm(view)
  const quiet =
    utilisation < rules.scaleDownThreshold &&
    signals.queueDepth < rules.queueDepthThreshold * 0.3 &&
    signals.waitMs < rules.waitThresholdMs * 0.5
  const five = [...history.samples.slice(-4), signals]
  const shortQueue = five.length === 5 && mean(five.map((s) => s.queueDepth)) < rules.queueDepthThreshold * 0.2
  if (!quiet && !(shortQueue && utilisation < rules.scaleUpThreshold / 2)) return keep(view, 'within all thresholds')
  if (!calm) return keep(view, 'low load, but it is not steady yet')
  return fewer(quiet ? `low utilisation: ${utilisation.toFixed(2)}` : 'sustained low queue depth')
}

function isCalm({ signals, history }: ScalingView): boolean {
  const three = [...history.samples.slice(-2), signals]
  return (
    three.length === 3 &&
    variance(three.map((s) => s.queueDepth)) < mostQueueVariance &&
    variance(three.map((s) => s.waitMs / 1_000)) < mostWaitVariance
  )
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function variance(values: readonly number[]): number {
  const middle = mean(values)
  return mean(values.map((value) => (value - middle) ** 2))
}
