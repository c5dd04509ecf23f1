import { type EvaluationContext, evaluateText } from './expressions.ts'
import type { ResolvedPlacement } from './placement-contract.ts'
import type { StepOf } from './workflow-contract.ts'

type Placed = Pick<
  StepOf<'command'>,
  'preferredCapabilities' | 'affinity' | 'anti-affinity' | 'region' | 'tolerations' | 'strategy' | 'preemptible'
>

/** What a step asks of its place; null where it asks for nothing. Throws `expression-failed`. */
export function resolvePlacement(step: Placed, context: EvaluationContext): ResolvedPlacement | null {
  const { affinity = {}, 'anti-affinity': away = {}, region, tolerations, strategy } = step
  const placement: ResolvedPlacement = {
    ...some('preferredCapabilities', step.preferredCapabilities),
    ...some('labels', affinity.labels),
    ...some('preferredLabels', affinity.preferred),
    ...some('avoidedLabels', away.labels),
    ...some('affinityKey', textOf(affinity.key, context)),
    ...some('apart', apartOf(textOf(away.key, context), away.scope ?? 'agent')),
    ...some('region', region),
    ...some('tolerations', tolerations),
    ...some('strategy', strategy),
    ...(step.preemptible === true ? { preemptible: true } : {}),
  }
  return Object.keys(placement).length === 0 ? null : placement
}

/** An empty key stands for no key: so an expression can leave it out. */
function textOf(template: string | undefined, context: EvaluationContext): string | undefined {
  return template === undefined ? undefined : evaluateText(template, context) || undefined
}

function apartOf(key: string | undefined, scope: 'agent' | 'runner') {
  return key === undefined ? undefined : { key, scope }
}

function some<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } {
  const empty = value === undefined || (typeof value === 'object' && Object.keys(value as object).length === 0)
  return empty ? {} : ({ [name]: value } as { [name in K]?: V })
}
