import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

const limit = z.number().positive().max(1_000_000_000_000).nullable()

/** Null: to be found out from what the provider answers. */
export const quotaSettingsSchema = z.object({
  requestsPerMinute: limit.default(null),
  tokensPerMinute: limit.default(null),
  /** Calls under way at a time, over the whole fleet. */
  concurrent: z.int().positive().max(100_000).nullable().default(null),
})

export const quotaSchema = z.object({
  account: z.string(),
  provider: z.string(),
  settings: quotaSettingsSchema,
  /** What the fleet keeps to now; null: nothing of the kind is known, or nobody has used it yet. */
  pace: z.object({
    requestsPerMinute: z.number().nullable(),
    tokensPerMinute: z.number().nullable(),
    concurrent: z.int().nullable(),
  }),
  /** The provider has refused, and nothing is sent before. */
  blockedUntil: z.iso.datetime().nullable(),
  /** When the provider last refused. */
  refusedAt: z.iso.datetime().nullable(),
  /** Processes that use it now, their calls under way, and those that wait. */
  processes: z.int(),
  inFlight: z.int(),
  waiting: z.int(),
  updatedAt: z.iso.datetime(),
  /** Counts the changes of its limits. */
  rev: z.int(),
})
export type QuotaView = z.infer<typeof quotaSchema>

export const listQuotas = endpoint({
  method: 'GET',
  path: '/api/v1/quotas',
  summary: 'Lists the provider accounts with their limits, and what the fleet keeps to now.',
  output: z.object({ items: z.array(quotaSchema) }),
})

export const setQuota = endpoint({
  method: 'PUT',
  path: '/api/v1/quotas/:account',
  summary: 'Adds a provider account, or changes its limits; what was learned about it is forgotten.',
  params: z.object({
    account: z.string().regex(/^[a-z0-9][\w.-]{0,62}$/, 'expected lower-case letters, digits and _ . -'),
  }),
  body: quotaSettingsSchema.extend({
    provider: z.string().regex(/^[a-z0-9][\w.-]{0,62}$/, 'expected a name such as anthropic, openai or other'),
  }),
  output: quotaSchema,
  revision: 'rev',
})
