import { z } from 'zod'
import { endpoint } from '../../../foundation/platform/http/endpoint-contract.ts'
import { toldToolShape } from '../../tool-calls/told-tool-contract.ts'

const key = z.string().min(1).max(200)
const count = z.int().min(0).max(1_000_000_000_000)

const usageShape = {
  inputTokens: count.optional(),
  outputTokens: count.optional(),
  microUsd: count.optional(),
  model: z.string().max(200).optional(),
}

/** What a service tells of its work. With `id`, the same message told again is told once. */
export const serviceMessageSchema = z.discriminatedUnion('type', [
  /** It is alive and gets on. */
  z.object({ type: z.literal('progress'), id: key.optional(), note: z.string().max(4_000).optional() }),
  /** Words of its answer, as far as it has come. */
  z.object({ type: z.literal('words'), id: key.optional(), text: z.string().max(16_384) }),
  /** A tool that it uses, when it begins and when it has ended: `call` names the use, and is the same for both. */
  z.object({ type: z.literal('tool'), id: key.optional(), ...toldToolShape }),
  /** All that it has spent so far. */
  z.object({ type: z.literal('usage'), id: key.optional(), ...usageShape }),
  /** It needs to know something; the answer is at the same address. */
  z.object({
    type: z.literal('question'),
    id: key,
    message: z.string().min(1).max(4_000),
    choices: z
      .array(z.object({ id: key, label: z.string().max(1_000) }))
      .min(1)
      .max(50)
      .optional(),
    freeText: z.boolean().optional(),
    defaultChoice: key.optional(),
    confidence: z.number().min(0).max(1).optional(),
    risk: z.number().min(0).max(1).optional(),
  }),
  /** It is done; nothing can be told after it. */
  z.object({
    type: z.literal('result'),
    id: key.optional(),
    output: z.json().optional(),
    usage: z.object(usageShape).optional(),
  }),
  /** It has failed; nothing can be told after it. */
  z.object({
    type: z.literal('failure'),
    id: key.optional(),
    message: z.string().min(1).max(4_000),
    retry: z.enum(['never', 'later']).optional(),
  }),
])
export type ServiceMessage = z.output<typeof serviceMessageSchema>

const params = z.object({ token: z.string().min(20).max(1_000) })

export const tellServiceCall = endpoint({
  method: 'POST',
  path: '/api/v1/service-callbacks/:token',
  summary:
    'A service tells how the work of an attempt gets on: progress, words, tools, usage, a question, its result or failure.',
  params,
  body: serviceMessageSchema,
  bodyLimit: 8 * 1_048_576,
  /** `duplicate`: it was told before. */
  output: z.object({ status: z.enum(['accepted', 'duplicate']) }),
  status: 202,
})

export const showServiceCall = endpoint({
  method: 'GET',
  path: '/api/v1/service-callbacks/:token',
  summary: 'Whether anybody still waits for a service, and what people answered to its questions.',
  params,
  output: z.object({
    state: z.enum(['open', 'closed']),
    /** Why it is closed. */
    reason: z.string().nullable(),
    answers: z.array(
      z.object({
        /** Of the question. */
        id: z.string(),
        choice: z.string().nullable(),
        text: z.string().nullable(),
        by: z.string(),
        expired: z.boolean(),
      }),
    ),
  }),
})
export type ServiceCallView = z.output<NonNullable<(typeof showServiceCall)['output']>>
