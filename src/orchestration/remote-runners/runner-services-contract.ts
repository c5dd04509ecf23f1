import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { serviceMessageSchema } from '../agents/http/service-calls-contract.ts'
import { contextLevelSchema } from '../context-growth/context-growth-contract.ts'

// What agents of some kinds need of the platform while they work on a lease, and their runner has no database.

const limit = 'runners'
const params = z.object({
  runner: z.string().min(1).max(100),
  fence: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
})
const tokens = z.int().min(0).max(1_000_000_000_000)
const week = 7 * 86_400_000

export const keepRunnerContext = endpoint({
  method: 'PUT',
  path: '/api/v1/runners/:runner/leases/:fence/context',
  summary: 'Keeps how full the context of an agent at work is.',
  params,
  openBody: true,
  body: z.object({
    used: tokens,
    limit: tokens.min(1),
    share: z.number().min(0).max(1_000_000),
    growth: tokens.nullable(),
    turnsLeft: tokens.nullable(),
    level: contextLevelSchema,
    turns: z.int32().min(0),
    summaries: z.int32().min(0),
    /** What happened to it that people may want to know. */
    change: z.enum(['warned', 'checkpoint-due', 'summarised']).nullable(),
  }),
  limit,
})
export type WireContext = z.input<typeof keepRunnerContext.body & object>

export const expectRunnerContext = endpoint({
  method: 'GET',
  path: '/api/v1/runners/:runner/leases/:fence/context',
  summary: 'Says what a turn of the agent is expected to add to its context, by what former attempts have shown.',
  params,
  output: z.object({
    /** Tokens; null: nobody knows. */
    growth: z.number().min(0).nullable(),
  }),
  limit,
})

export const dropRunnerContext = endpoint({
  method: 'DELETE',
  path: '/api/v1/runners/:runner/leases/:fence/context',
  summary: 'Forgets the context of an attempt that is over.',
  params,
  limit,
})

export const openRunnerCall = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/leases/:fence/service-call',
  summary: 'Begins work that a service does for a lease, or takes over what a lost attempt of its task has begun.',
  params,
  openBody: true,
  body: z.object({
    /** Such work may be taken over by the next attempt. */
    resume: z.boolean(),
    forMs: z.int().min(0).max(week),
  }),
  output: z.object({
    id: z.string(),
    /** With it the service tells this server how it gets on, and nothing else. */
    token: z.string(),
    accepted: z.object({ answer: z.json() }).nullable(),
  }),
  status: 201,
  secret: true,
  limit,
})

export const acceptRunnerCall = endpoint({
  method: 'PUT',
  path: '/api/v1/runners/:runner/leases/:fence/service-call/accepted',
  summary: 'Keeps what the service answered first, for an attempt that takes the work over.',
  params,
  openBody: true,
  body: z.object({ answer: z.json() }),
  bodyLimit: 16 * 1_048_576,
  limit,
})

/** How long one call waits for a service, in ms; the runner asks again. */
export const messagesWaitMs = 20_000

export const runnerCallMessages = endpoint({
  method: 'GET',
  path: '/api/v1/runners/:runner/leases/:fence/service-call/messages',
  summary: 'What the service has told, in order; waits a while for something new.',
  params,
  query: z.object({ after: z.coerce.number().int().min(0).default(0) }),
  output: z.object({
    items: z.array(z.object({ seq: z.int(), body: serviceMessageSchema, answer: z.json() })),
  }),
  limit,
})

export const answerRunnerCall = endpoint({
  method: 'PUT',
  path: '/api/v1/runners/:runner/leases/:fence/service-call/messages/:seq/answer',
  summary: 'Keeps the answer to a question of the service, where the service reads it.',
  params: z.object({ ...params.shape, seq: z.coerce.number().int().min(1) }),
  openBody: true,
  body: z.object({ answer: z.json() }),
  limit,
})

export const closeRunnerCall = endpoint({
  method: 'POST',
  path: '/api/v1/runners/:runner/leases/:fence/service-call/close',
  summary: 'From here on whatever the service tells is refused with this reason.',
  params,
  openBody: true,
  body: z.object({ reason: z.string().min(1).max(1_000) }),
  limit,
})
