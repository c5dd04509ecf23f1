import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

const second = 1_000
const minute = 60 * second
const duration = z
  .int()
  .min(second)
  .max(366 * 86_400_000)

export const detectorSchema = z.enum([
  'no_progress',
  'repeated_outputs',
  'oscillation',
  'respawn_loop',
  'runaway_fan_out',
])
export type DetectorName = z.infer<typeof detectorSchema>

const common = {
  enabled: z.boolean().default(true),
  /** `note`: only tell. `ask`: pause, stop what is at work, and wait for an answer. `act`: pause and end it; a fan-out is held back until there is room. */
  action: z.enum(['note', 'ask', 'act']).default('ask'),
  /** How long an answer is waited for, ms; null: as long as it takes. */
  deadlineMs: duration.nullable().default(null),
  /** The answer when nobody gave one in time. */
  default: z.enum(['continue', 'cancel']).default('cancel'),
}

export const livenessPolicySchema = z.strictObject({
  no_progress: z
    .strictObject({
      ...common,
      /** A task that shows nothing of substance (output, messages, CPU) for this long, ms. */
      afterMs: duration.default(30 * minute),
    })
    .prefault({}),
  repeated_outputs: z
    .strictObject({
      ...common,
      /** The same end of attempt after attempt of a task, or of run after run, this often. */
      times: z.int().min(2).max(1_000).default(5),
      /** The same line, or few lines in turn, printed this often without anything else. */
      lines: z.int().min(10).max(1_000_000).default(1_000),
    })
    .prefault({}),
  oscillation: z
    .strictObject({
      ...common,
      /** Going back and forth between two ends this often. */
      cycles: z.int().min(2).max(1_000).default(3),
    })
    .prefault({}),
  respawn_loop: z
    .strictObject({
      ...common,
      /** The same workflow with the same inputs started this often within `withinMs`. */
      times: z.int().min(2).max(1_000).default(20),
      withinMs: duration.default(10 * minute),
    })
    .prefault({}),
  runaway_fan_out: z
    .strictObject({
      ...common,
      action: z.enum(['note', 'ask', 'act']).default('act'),
      /** Tasks that agents work on at a time, of the whole tenant; null: as many as there are slots. */
      maxParallelAgents: z.int().min(1).max(100_000).nullable().default(null),
    })
    .prefault({}),
})
export type LivenessPolicy = z.output<typeof livenessPolicySchema>

export const findingStateSchema = z.enum(['open', 'noted', 'acted', 'continued', 'cancelled'])

export const findingSchema = z.object({
  id: z.string(),
  detector: detectorSchema,
  subject: z.object({ kind: z.enum(['task', 'runs', 'tenant']), id: z.string() }),
  state: findingStateSchema,
  action: z.enum(['note', 'ask', 'act']),
  /** What was seen, and what was done about it. */
  explanation: z.string(),
  /** Runs that were paused or ended for it. */
  runs: z.array(z.string()),
  foundAt: z.iso.datetime(),
  deadlineAt: z.iso.datetime().nullable(),
  answeredAt: z.iso.datetime().nullable(),
  answeredBy: z.string().nullable(),
})
export type FindingView = z.infer<typeof findingSchema>

export const listFindings = endpoint({
  method: 'GET',
  path: '/api/v1/liveness/findings',
  summary: 'What the detectors found, newest first.',
  query: z.object({ ...pageQueryShape, state: findingStateSchema.optional() }),
  output: pageOf(findingSchema),
})

export const answerFinding = endpoint({
  method: 'POST',
  path: '/api/v1/liveness/findings/:id/answer',
  summary: 'Lets paused runs go on, or ends them.',
  params: z.object({ id: z.string().min(1).max(100) }),
  body: z.object({ answer: z.enum(['continue', 'cancel']) }),
  output: findingSchema,
})

export const showLivenessPolicy = endpoint({
  method: 'GET',
  path: '/api/v1/liveness/policy',
  summary: 'When the detectors speak, and what they do.',
  output: livenessPolicySchema,
})

export const setLivenessPolicy = endpoint({
  method: 'PATCH',
  path: '/api/v1/liveness/policy/:detector',
  summary: 'Changes the policy of one detector; what is left out stays.',
  params: z.object({ detector: detectorSchema }),
  body: z.record(z.string(), z.json()),
  output: livenessPolicySchema,
})
