import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const count = z.int().min(0).max(10_000)
const duration = z
  .int()
  .min(0)
  .max(366 * 24 * hour)
const share = z.number().min(0).max(1)

export const scalingStrategySchema = z.enum(['simple', 'step', 'target_tracking', 'scheduled', 'predictive'])
export type ScalingStrategy = z.infer<typeof scalingStrategySchema>

/** Thresholds, one agent at a time. Any of the first four adds, low load takes away. */
export const simplePolicySchema = z.strictObject({
  queueDepthThreshold: z.number().min(1).default(100),
  /** Oldest wait, ms. */
  waitThresholdMs: duration.default(5 * second),
  scaleUpThreshold: share.default(0.8),
  /** Share by which throughput fell since the sample before, while tasks wait. */
  throughputDropThreshold: share.default(0.2),
  scaleDownThreshold: share.default(0.3),
  stepOut: count.default(1),
  stepIn: count.default(1),
})

const stepRule = z.strictObject({
  /** The step counts from here on: up for `out`, down for `in`. */
  at: z.number().min(0),
  /** Agents, or with `percent` a share of those there are, rounded up. */
  change: z.int().min(1).max(10_000),
  percent: z.boolean().default(false),
})

/** The further the metric is out of bounds, the larger the step. */
export const stepPolicySchema = z.strictObject({
  /** `load`: tasks at work and waiting, by slots. `queue_per_agent`, `utilisation` and `wait_time` (ms) are as they say. */
  metric: z.enum(['load', 'queue_per_agent', 'utilisation', 'wait_time']).default('load'),
  out: z
    .array(stepRule)
    .max(20)
    .default([
      { at: 0.9, change: 1, percent: false },
      { at: 1.5, change: 50, percent: true },
      { at: 3, change: 100, percent: true },
    ]),
  in: z
    .array(stepRule)
    .max(20)
    .default([
      { at: 0.5, change: 1, percent: false },
      { at: 0.25, change: 50, percent: true },
    ]),
})

/** As many agents as keep their slots this busy, and clear what waits in time. */
export const targetTrackingPolicySchema = z.strictObject({
  utilisation: z.number().min(0.05).max(1).default(0.7),
  /** Within this share of the target nothing changes. */
  tolerance: share.default(0.1),
  /** The load that all but the highest looks of this time had is provided for, ms. */
  windowMs: duration.default(5 * minute),
  percentile: z.number().min(0.5).max(1).default(0.94),
  /** Tasks that wait are to be at work within this time, ms. */
  waitTargetMs: duration.default(10 * second),
  /** How long an agent takes to start: what the present ones will have done by then needs no further ones, ms. */
  startupMs: duration.default(20 * second),
})

/** As many agents as the last entry said whose time has come. */
export const scheduledPolicySchema = z.strictObject({
  entries: z
    .array(z.strictObject({ cron: z.string().max(200), timeZone: z.string().max(100).default('UTC'), agents: count }))
    .min(1)
    .max(100),
})

/** As target tracking, for the load that is forecast for when new agents would be ready, where that is higher. */
export const predictivePolicySchema = targetTrackingPolicySchema.extend({
  seasonMs: duration.min(minute).default(24 * hour),
  /** How far ahead: the time an agent takes to start, and some more. */
  leadMs: duration.default(minute),
})

export const scalingPolicySchema = z.strictObject({
  strategy: scalingStrategySchema,
  min: count.optional(),
  max: count.optional(),
  /** Agents kept started beside those at work, which take over at once when more are wanted. */
  warm: count.optional(),
  /** Time between looks, ms. */
  everyMs: duration.min(second).optional(),
  cooldownOutMs: duration.optional(),
  cooldownInMs: duration.optional(),
  /** The lowest recommendation of this time counts when adding, the highest when taking away, ms. */
  stabiliseOutMs: duration.optional(),
  stabiliseInMs: duration.optional(),
  maxStepOut: count.min(1).optional(),
  maxStepIn: count.min(1).optional(),
  /** With `min: 0`, the last agent goes when there was nothing to do for this long, ms. */
  idleMs: duration.optional(),
  simple: simplePolicySchema.optional(),
  step: stepPolicySchema.optional(),
  targetTracking: targetTrackingPolicySchema.optional(),
  scheduled: scheduledPolicySchema.optional(),
  predictive: predictivePolicySchema.optional(),
})
export type ScalingPolicyInput = z.input<typeof scalingPolicySchema>

export const signalsSchema = z.object({
  at: z.iso.datetime(),
  agents: z.int(),
  queueDepth: z.int(),
  /** Wait of the oldest task in the queue, ms. */
  waitMs: z.number(),
  utilisation: share,
  throughput: z.number(),
  throughputDrop: share,
  lowLoad: z.boolean(),
})

export const scalingExplanationSchema = z.object({
  pool: z.string(),
  at: z.iso.datetime(),
  /** `manual`: a person set the size. */
  strategy: z.enum([...scalingStrategySchema.options, 'manual']),
  outcome: z.enum(['out', 'in', 'none']),
  from: z.int(),
  to: z.int(),
  /** One sentence. */
  reason: z.string(),
  /** How it came to that, one thought a line. */
  steps: z.array(z.string()),
  signals: signalsSchema,
})
export type ScalingExplanation = z.infer<typeof scalingExplanationSchema>

export const poolSizeSchema = z.object({
  /** Agents there should be; null: as many as their hosts bring along. */
  desired: z.int().nullable(),
  agents: z.int(),
  missing: z.int(),
  leaving: z.int(),
  /** What stands between the two, one sentence each. */
  notes: z.array(z.string()),
  /** Where agents can be started: servers, and runners that joined. */
  hosts: z.array(
    z.object({
      runner: z.string(),
      /** Name of the machine. */
      host: z.string(),
      /** Agents there, of all its pools; null: it sees to it itself. */
      agents: z.int().nullable(),
      most: z.int(),
    }),
  ),
})
export type PoolSizeView = z.infer<typeof poolSizeSchema>

const poolParams = z.object({ name: z.string().min(1).max(100) })

export const scalingHistory = endpoint({
  method: 'GET',
  path: '/api/v1/scaling/history',
  summary: 'Scaling decisions, newest first.',
  query: z.object({
    pool: z.string().max(100).optional(),
    limit: z.coerce.number().int().min(1).max(1_000).default(50),
  }),
  output: z.object({ items: z.array(scalingExplanationSchema) }),
})

export const explainScaling = endpoint({
  method: 'GET',
  path: '/api/v1/scaling/explain',
  summary: 'Why the last look at a pool changed its size, or did not, and where its agents can be started.',
  query: z.object({ pool: z.string().max(100).optional() }),
  output: z.object({
    items: z.array(
      z.object({
        pool: z.string(),
        /** Null: people set its size. */
        policy: scalingPolicySchema.nullable(),
        /** Null until the first look. */
        last: scalingExplanationSchema.nullable(),
        nextLookAt: z.iso.datetime().nullable(),
        size: poolSizeSchema,
      }),
    ),
  }),
})

export const setPoolPolicy = endpoint({
  method: 'PUT',
  path: '/api/v1/pools/:name/policy',
  summary: 'Lets a policy decide how many agents a pool has.',
  params: poolParams,
  body: scalingPolicySchema,
  output: z.object({ pool: z.string(), policy: scalingPolicySchema }),
})

export const removePoolPolicy = endpoint({
  method: 'DELETE',
  path: '/api/v1/pools/:name/policy',
  summary: 'Leaves a pool at the size it has.',
  params: poolParams,
  output: z.object({ pool: z.string() }),
})

export const scalePool = endpoint({
  method: 'POST',
  path: '/api/v1/pools/:name/scale',
  summary: 'Sets how many agents a pool should have; a policy goes on from there.',
  params: poolParams,
  body: z.object({ agents: count }),
  output: scalingExplanationSchema,
})
