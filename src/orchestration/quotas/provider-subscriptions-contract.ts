import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

const name = z.string().regex(/^[a-z0-9][\w.-]{0,62}$/, 'expected lower-case letters, digits and _ . -')
const capacity = z.int().positive().max(1_000_000_000_000).nullable().default(null)
const moment = z.iso.datetime({ offset: true }).nullable()

export const providerSubscriptionTermsSchema = z.object({
  /** The pools whose agents work on it. */
  pools: z.array(z.string().min(1).max(100)).max(100),
  /** The length of a window; it begins with the first use. */
  window: z.string().regex(/^[1-9]\d{0,5}[mhd]$/, 'expected the length of a window, such as 5h or 7d'),
  /** What a whole window holds. Null: not known; where both are, only what its agents are told by the provider counts. */
  tokens: capacity,
  requests: capacity,
})
export type SubscriptionWish = z.output<typeof providerSubscriptionTermsSchema>

/** Shares are of the whole window: 1 is all of it, in steps of a millionth. */
export const providerSubscriptionSchema = z.object({
  name: z.string(),
  ...providerSubscriptionTermsSchema.shape,
  /** The window that has begun last; it may be over. */
  windowStart: moment,
  windowEnd: moment,
  /** In the present window, as we count it; 0 where none has begun. */
  usedTokens: z.int(),
  usedRequests: z.int(),
  usedShare: z.number(),
  /** What the provider told last, in this window. */
  toldShare: z.number().nullable(),
  /** Counts the changes of its terms. */
  rev: z.int(),
})
export type ProviderSubscriptionView = z.infer<typeof providerSubscriptionSchema>

export const listProviderSubscriptions = endpoint({
  method: 'GET',
  path: '/api/v1/provider-subscriptions',
  summary: 'Lists subscriptions with providers, and how much of their present windows is used up.',
  output: z.object({ items: z.array(providerSubscriptionSchema) }),
})

export const setProviderSubscription = endpoint({
  method: 'PUT',
  path: '/api/v1/provider-subscriptions/:name',
  summary:
    'Adds a subscription, or changes what it holds. What agents of its pools use is then a share of its window, too.',
  params: z.object({ name }),
  body: providerSubscriptionTermsSchema,
  output: providerSubscriptionSchema,
  revision: 'rev',
})

export const removeProviderSubscription = endpoint({
  method: 'DELETE',
  path: '/api/v1/provider-subscriptions/:name',
  summary: 'Removes a subscription. What was spent of it stays on record.',
  params: z.object({ name }),
  output: z.object({ removed: z.boolean() }),
})
