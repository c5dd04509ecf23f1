import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { runSchema } from '../runs/runs-contract.ts'

export const checkpointSchema = z.object({
  id: z.string(),
  runId: z.string(),
  /** Unique in its tenant. */
  name: z.string(),
  createdAt: z.iso.datetime(),
  reason: z.enum(['manual', 'timer', 'risky']),
  /** Steps that had ended, of how many. */
  steps: z.object({ done: z.int(), total: z.int() }),
  /** Size of the artifacts it keeps. */
  bytes: z.int(),
})
export type CheckpointView = z.infer<typeof checkpointSchema>

/** Without `name` one is made from the time; without `runId` the newest run that has not ended is taken. */
export const makeCheckpointSchema = z.object({
  name: z
    .string()
    .regex(/^[\w][\w.-]{0,99}$/, 'expected letters, digits, dot, dash or underscore')
    .optional(),
  runId: z.string().max(100).optional(),
})

/** `:id` is an id or a name. */
const params = z.object({ id: z.string().min(1).max(100) })

export const makeCheckpoint = endpoint({
  method: 'POST',
  path: '/api/v1/checkpoints',
  summary: 'Keeps the state of a run under a name.',
  body: makeCheckpointSchema,
  output: checkpointSchema,
  status: 201,
})

export const listCheckpoints = endpoint({
  method: 'GET',
  path: '/api/v1/checkpoints',
  summary: 'Lists checkpoints, newest first.',
  query: z.object({ ...pageQueryShape, run: z.string().max(100).optional() }),
  output: pageOf(checkpointSchema),
})

export const restoreCheckpoint = endpoint({
  method: 'POST',
  path: '/api/v1/checkpoints/:id/restore',
  summary: 'Starts a new run from the kept state.',
  params,
  output: runSchema,
  status: 201,
})

export const forkCheckpoint = endpoint({
  method: 'POST',
  path: '/api/v1/checkpoints/:id/fork',
  summary: 'Starts a new run from the kept state that does `from`, and all that depends on it, again.',
  params,
  body: z.object({ from: z.string().max(200).optional() }),
  output: runSchema,
  status: 201,
})
