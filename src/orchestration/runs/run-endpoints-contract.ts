import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import {
  artifactSchema,
  eventSchema,
  retryRunSchema,
  runDetailSchema,
  runSchema,
  runStateSchema,
  startRunSchema,
} from './runs-contract.ts'

const runParams = z.object({ id: z.string().min(1).max(100) })

/** One piece of what a task printed. `text` may hold any characters, control characters included: it is data. */
export const logLineSchema = z.object({
  at: z.iso.datetime(),
  taskId: z.string(),
  step: z.string(),
  item: z.int().nullable(),
  stream: z.enum(['stdout', 'stderr']),
  text: z.string(),
})
export type LogLine = z.infer<typeof logLineSchema>

export const startRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs',
  summary: 'Starts a run of a stored, built-in or inline workflow.',
  body: startRunSchema,
  output: runSchema,
  status: 201,
})

export const listRuns = endpoint({
  method: 'GET',
  path: '/api/v1/runs',
  summary: 'Lists runs, newest first.',
  query: z.object({ ...pageQueryShape, state: runStateSchema.optional(), workflow: z.string().max(200).optional() }),
  output: pageOf(runSchema),
})

export const showRun = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id',
  summary: 'Shows a run with its steps, tasks and artifacts.',
  params: runParams,
  output: runDetailSchema,
})

export const cancelRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs/:id/cancel',
  summary: 'Asks a run to end: its processes are stopped, its `finally` steps still run.',
  params: runParams,
  body: z.object({ reason: z.string().max(1_000).optional() }),
  output: runSchema,
})

const taskParams = runParams.extend({ task: z.string().min(1).max(300) })

export const cancelTaskOfRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs/:id/tasks/:task/cancel',
  summary:
    'Ends one task, named by its id or its place (`step`, `step[3]`): its processes are stopped, what needs it is skipped.',
  params: taskParams,
  body: z.object({ reason: z.string().max(1_000).optional() }),
  output: runSchema,
})

export const retryTaskOfRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs/:id/tasks/:task/retry',
  summary:
    'Starts a new run that does one task of an ended one again, and what depends on it; all else stands as it ended.',
  params: taskParams,
  output: runSchema,
  status: 201,
})

export const pauseRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs/:id/pause',
  summary: 'Lets tasks under way finish and starts no more.',
  params: runParams,
  output: runSchema,
})

export const resumeRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs/:id/resume',
  summary: 'Lets a paused run go on.',
  params: runParams,
  output: runSchema,
})

export const retryRun = endpoint({
  method: 'POST',
  path: '/api/v1/runs/:id/retry',
  summary: 'Starts a new run that repeats part of an ended one and keeps the rest of its results.',
  params: runParams,
  body: retryRunSchema,
  output: runSchema,
  status: 201,
})

export const runLogs = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/logs',
  summary: 'What the tasks of a run printed, in order of arrival; `follow` stays until the run has ended.',
  params: runParams,
  query: z.object({
    follow: z.stringbool().default(false),
    step: z.string().max(200).optional(),
    task: z.string().max(100).optional(),
  }),
  output: logLineSchema,
  reply: 'lines',
})

/** Which events: all that fit every field. */
const eventFilterShape = {
  /** Comma-separated types, `task.*` for all of a kind. */
  types: z.string().max(1_000).optional(),
  /** Of this agent, or about its work. */
  agent: z.string().min(1).max(200).optional(),
  /** `<kind>/<id>`, or a kind alone. */
  subject: z.string().min(1).max(200).optional(),
}

export const runEvents = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/events',
  summary:
    'The recorded events of a run, oldest first. With a filter a page may be short of its limit, as long as it names a next.',
  params: runParams,
  query: z.object({ ...pageQueryShape, ...eventFilterShape }),
  output: pageOf(eventSchema),
})

export const streamEvents = endpoint({
  method: 'GET',
  path: '/api/v1/events',
  summary: 'Events as they are committed; resumes after `Last-Event-ID`.',
  query: z.object({
    run: z.string().max(100).optional(),
    ...eventFilterShape,
    /** A cursor to start after, a time, `start` for the oldest event kept, `now` (the default) for what comes. */
    from: z.string().max(200).optional(),
  }),
  output: eventSchema,
  reply: 'events',
})

export const runArtifacts = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/artifacts',
  summary: 'The artifacts of a run and of the runs that it called, callers before called; at most 1,000.',
  params: runParams,
  output: z.object({ items: z.array(artifactSchema), more: z.boolean() }),
})

export const artifactContent = endpoint({
  method: 'GET',
  path: '/api/v1/artifacts/:id',
  summary: 'The bytes of an artifact.',
  params: runParams,
  reply: 'bytes',
})
