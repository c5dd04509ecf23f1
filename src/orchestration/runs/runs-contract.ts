import { z } from 'zod'
import { modelTiers } from '../../foundation/kernel/model-tier.ts'
import { depthSchema } from '../workflows/policies-contract.ts'

const jsonValue = z.json()

export const runStateSchema = z.enum(['pending', 'running', 'paused', 'waiting', 'succeeded', 'failed', 'cancelled'])
export const taskStateSchema = z.enum([
  'pending',
  'ready',
  'waiting',
  'leased',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'timed-out',
  'skipped',
])

const errorSchema = z.object({ code: z.string(), message: z.string() }).loose()

/** How a run is started. Exactly one of `workflow` (a stored or built-in name) and `source` (YAML text) is given. */
export const startRunSchema = z.object({
  workflow: z.string().optional(),
  source: z.object({ text: z.string(), fileName: z.string() }).optional(),
  inputs: z.record(z.string(), jsonValue).default({}),
  /** Absolute path of a git repository on the server's host; omitted for runs without one. */
  repo: z.string().optional(),
  priority: z.int().min(1).max(10).optional(),
  /** At most this many tasks of the run at a time. */
  parallel: z.int().min(1).max(10_000).optional(),
  labels: z.record(z.string(), z.string()).default({}),
  /** Of all agents' work of the run; goes before what its workflow says. Kept as the label `depth`. */
  depth: depthSchema.optional(),
})
export type StartRun = z.input<typeof startRunSchema>

export const runSchema = z.object({
  id: z.string(),
  workflow: z.string(),
  version: z.int(),
  state: runStateSchema,
  rev: z.int(),
  inputs: z.record(z.string(), jsonValue),
  outputs: jsonValue.nullable(),
  error: errorSchema.nullable(),
  repo: z.object({ path: z.string(), commit: z.string().nullable() }).nullable(),
  priority: z.int(),
  labels: z.record(z.string(), z.string()),
  /** What it was started with; null: each step as it says. */
  depth: depthSchema.nullable(),
  /** The run this one repeats or continues (retry, restore, fork), or its parent in a `workflow` step. */
  origin: z.object({ kind: z.enum(['retry', 'restore', 'fork', 'sub-run']), id: z.string() }).nullable(),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
})
export type RunView = z.infer<typeof runSchema>

export const stepSchema = z.object({
  id: z.string(),
  kind: z.string(),
  needs: z.array(z.string()),
  state: taskStateSchema,
  /** Why it waits, was skipped or failed. */
  reason: z.string().nullable(),
  total: z.int(),
  open: z.int(),
  failed: z.int(),
  outputs: jsonValue.nullable(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
})
export type StepView = z.infer<typeof stepSchema>

export const taskSchema = z.object({
  id: z.string(),
  runId: z.string(),
  step: z.string(),
  item: z.int().nullable(),
  state: taskStateSchema,
  reason: z.string().nullable(),
  attempt: z.int(),
  agentId: z.string().nullable(),
  runnerId: z.string().nullable(),
  priority: z.int(),
  output: jsonValue.nullable(),
  error: errorSchema.nullable(),
  /** Of prompts: what their persona and depth came to. */
  agent: z
    .object({
      persona: z.string().nullable(),
      depth: depthSchema,
      tier: z.enum(modelTiers),
      /** The model that its pool names for the tier; null: the agent's own. */
      model: z.string().nullable(),
      timeoutMs: z.number(),
      budget: z.object({ microUsd: z.number().nullable(), tokens: z.number().nullable() }),
    })
    .nullable(),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
})
export type TaskView = z.infer<typeof taskSchema>

export const artifactSchema = z.object({
  id: z.string(),
  runId: z.string(),
  taskId: z.string(),
  step: z.string(),
  name: z.string(),
  mediaType: z.string(),
  bytes: z.int(),
  sha256: z.string(),
})
export type ArtifactView = z.infer<typeof artifactSchema>

export const runDetailSchema = z.object({
  run: runSchema,
  steps: z.array(stepSchema),
  /** At most 1,000, those still open first. */
  tasks: z.array(taskSchema),
  artifacts: z.array(artifactSchema),
})
export type RunDetail = z.infer<typeof runDetailSchema>

export const eventSchema = z.object({
  /** Opaque resume token: `epoch.tick.seq`. */
  cursor: z.string(),
  seq: z.int(),
  /** `<subject kind>.<what happened>`, for example `task.succeeded`. */
  type: z.string(),
  subject: z.object({ kind: z.string(), id: z.string(), rev: z.int() }),
  runId: z.string().nullable(),
  at: z.iso.datetime(),
  data: jsonValue,
})
export type EventView = z.infer<typeof eventSchema>

export const retryRunSchema = z.object({
  /** Repeat this step and all that depends on it. */
  from: z.string().optional(),
  /** Repeat what did not succeed, and all that depends on it. The default. */
  failed: z.boolean().optional(),
})
export type RetryRun = z.infer<typeof retryRunSchema>
