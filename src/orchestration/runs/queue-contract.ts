import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

export const queueSchema = z.object({
  at: z.iso.datetime(),
  items: z.array(
    z.object({
      pool: z.string(),
      state: z.enum(['ready', 'waiting', 'leased', 'running']),
      count: z.int(),
      /** There are more than were counted. */
      atLeast: z.boolean(),
      oldestAt: z.iso.datetime(),
    }),
  ),
  /** What waiting tasks wait for, the most frequent first: `budget:...`, `concurrency:...`, `approval`, `timer`. */
  reasons: z.array(z.object({ pool: z.string(), reason: z.string(), count: z.int() })),
  /** Why ready tasks have no agent, as far as something is in the way, the most frequent first: that all are busy, or what none has. */
  unserved: z.array(z.object({ pool: z.string(), reason: z.string(), count: z.int() })),
})
export type QueueView = z.infer<typeof queueSchema>

export const showQueue = endpoint({
  method: 'GET',
  path: '/api/v1/queue',
  summary: 'Open tasks by pool and state, what those that wait are waiting for, and why ready ones have no agent.',
  output: queueSchema,
})
