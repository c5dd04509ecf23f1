import type { z } from 'zod'
import {
  predictivePolicySchema,
  type ScalingPolicyInput,
  type ScalingStrategy,
  type scheduledPolicySchema,
  simplePolicySchema,
  stepPolicySchema,
  targetTrackingPolicySchema,
} from './scaling-contract.ts'
import { scalingErrors } from './scaling-errors.ts'

/** A policy with nothing left open. Times in ms. */
export interface ScalingPolicy {
  readonly strategy: ScalingStrategy
  readonly min: number
  readonly max: number
  readonly warm: number
  readonly everyMs: number
  readonly cooldownOutMs: number
  readonly cooldownInMs: number
  readonly stabiliseOutMs: number
  readonly stabiliseInMs: number
  readonly maxStepOut: number
  readonly maxStepIn: number
  readonly idleMs: number
  readonly simple: z.output<typeof simplePolicySchema>
  readonly step: z.output<typeof stepPolicySchema>
  readonly targetTracking: z.output<typeof targetTrackingPolicySchema>
  readonly scheduled: z.output<typeof scheduledPolicySchema>
  readonly predictive: z.output<typeof predictivePolicySchema>
}

type Timing = Omit<ScalingPolicy, 'strategy' | 'simple' | 'step' | 'targetTracking' | 'scheduled' | 'predictive'>

const minute = 60_000

const common: Timing = {
  min: 1,
  max: 10,
  warm: 0,
  everyMs: 15_000,
  cooldownOutMs: 0,
  cooldownInMs: 0,
  stabiliseOutMs: 0,
  stabiliseInMs: 2 * minute,
  maxStepOut: 10_000,
  maxStepIn: 10_000,
  idleMs: 5 * minute,
}

/** What a policy of each strategy has where it does not say. `simple` is slow on purpose: that is what it is known for. */
const defaults: Readonly<Record<ScalingStrategy, Timing>> = {
  simple: {
    ...common,
    min: 2,
    everyMs: 2 * minute,
    cooldownOutMs: 5 * minute,
    cooldownInMs: 5 * minute,
    stabiliseInMs: 0,
  },
  step: { ...common, cooldownOutMs: 30_000, cooldownInMs: minute },
  // Its window of demand does what stabilisation does for others.
  target_tracking: { ...common, stabiliseInMs: 0 },
  scheduled: { ...common, min: 0, stabiliseInMs: 0 },
  predictive: { ...common, stabiliseInMs: 0 },
}

/** Fills in what is left out. Throws `scaling-policy-invalid` for bounds that contradict each other. */
export function resolvePolicy(input: ScalingPolicyInput): ScalingPolicy {
  const base = defaults[input.strategy]
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
  const min = input.min ?? Math.min(base.min, input.max ?? base.min)
  const policy = {
    ...base,
    ...given,
    min,
    max: input.max ?? Math.max(base.max, min, ...(input.scheduled?.entries ?? []).map((entry) => entry.agents)),
    simple: simplePolicySchema.parse(input.simple ?? {}),
    step: stepPolicySchema.parse(input.step ?? {}),
    targetTracking: targetTrackingPolicySchema.parse(input.targetTracking ?? {}),
    scheduled: { entries: [], ...input.scheduled } as ScalingPolicy['scheduled'],
    predictive: predictivePolicySchema.parse(input.predictive ?? {}),
  } as ScalingPolicy
  if (policy.min > policy.max) {
    throw scalingErrors['scaling-policy-invalid'](`min ${policy.min} is above max ${policy.max}`)
  }
  if (policy.strategy === 'scheduled' && policy.scheduled.entries.length === 0) {
    throw scalingErrors['scaling-policy-invalid'](
      'the strategy scheduled needs scheduled.entries: cron, timeZone, agents (on the command line --at "CRON = AGENTS ZONE")',
    )
  }
  if (policy.simple.scaleDownThreshold >= policy.simple.scaleUpThreshold) {
    throw scalingErrors['scaling-policy-invalid']('simple.scaleDownThreshold must be below simple.scaleUpThreshold')
  }
  return policy
}
