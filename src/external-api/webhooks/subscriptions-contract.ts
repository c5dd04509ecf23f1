import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { byId, webhookNameSchema } from './sources-contract.ts'

/** `subject`: the events of one subject are delivered one after the other. `parallel`: as fast as may be. */
export const orderingSchema = z.enum(['subject', 'parallel'])
/** `standard`: type, timestamp, data, as Standard Webhooks advise. `cloudevents`: a CloudEvent 1.0 in structured mode. */
export const formatSchema = z.enum(['standard', 'cloudevents'])
/** `v1`: HMAC-SHA256 with a shared secret. `v1a`: Ed25519; the receiver needs only the public key. */
export const signatureSchema = z.enum(['v1', 'v1a'])
export const subscriptionStateSchema = z.enum(['active', 'paused', 'disabled'])
export type SubscriptionState = z.infer<typeof subscriptionStateSchema>

export const deliveryStateSchema = z.enum(['pending', 'sending', 'retrying', 'delivered', 'dead', 'cancelled'])
export type DeliveryState = z.infer<typeof deliveryStateSchema>

export const writeSubscriptionSchema = z.strictObject({
  name: webhookNameSchema,
  url: z.string().min(1).max(2_000),
  /** Types of events, `task.*` for all of a kind. Empty: all. */
  types: z
    .array(z.string().regex(/^(\*|[a-z][a-z0-9_.-]*(\.\*)?)$/, 'expected task.succeeded or task.*'))
    .max(100)
    .default([]),
  /** CEL over `event`; an event for which it is false, or has no value, is not sent. */
  filter: z.string().min(1).max(2_000).optional(),
  ordering: orderingSchema.default('subject'),
  format: formatSchema.default('standard'),
  signatures: z.array(signatureSchema).min(1).max(2).default(['v1']),
})
export type WriteSubscription = z.output<typeof writeSubscriptionSchema>

export const subscriptionSchema = writeSubscriptionSchema.extend({
  id: z.string(),
  rev: z.int(),
  state: subscriptionStateSchema,
  /** Why it is disabled. */
  reason: z.string().nullable(),
  failingSince: z.iso.datetime().nullable(),
  /** Failed attempts since the last success. */
  failures: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type SubscriptionView = z.output<typeof subscriptionSchema>

export const subscriptionSecretSchema = z.object({
  id: z.string(),
  /** For `v1`; keep it secret. */
  secret: z.string(),
  /** For `v1a`. */
  publicKey: z.string(),
})

export const deliverySchema = z.object({
  id: z.string(),
  subscriptionId: z.string(),
  type: z.string(),
  state: deliveryStateSchema,
  attempt: z.int(),
  dueAt: z.iso.datetime().nullable(),
  lastStatus: z.int().nullable(),
  lastError: z.string().nullable(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type DeliveryView = z.infer<typeof deliverySchema>

export const attemptSchema = z.object({
  attempt: z.int(),
  at: z.iso.datetime(),
  durationMs: z.int(),
  status: z.int().nullable(),
  error: z.string().nullable(),
  address: z.string().nullable(),
  /** The beginning of the answer, at most 2 KiB. It may hold any characters: it is data. */
  excerpt: z.string().nullable(),
})
export const deliveryDetailSchema = deliverySchema.extend({ body: z.string(), attempts: z.array(attemptSchema) })
export type DeliveryDetail = z.infer<typeof deliveryDetailSchema>

export const webhookStatusSchema = z.object({
  status: z.enum(['healthy', 'degraded', 'stopped']),
  serverRunning: z.boolean(),
  sources: z.int(),
  subscriptions: z.record(subscriptionStateSchema, z.int()),
  /** Received and not yet routed. */
  openReceipts: z.int(),
  failedReceipts: z.int(),
  activeDeliveries: z.int(),
  deadDeliveries: z.int(),
})
export type WebhookStatus = z.infer<typeof webhookStatusSchema>

const base = '/api/v1/webhooks'

export const listSubscriptions = endpoint({
  method: 'GET',
  path: `${base}/subscriptions`,
  summary: 'Lists the receivers of outgoing webhooks.',
  output: z.object({ items: z.array(subscriptionSchema) }),
})
export const createSubscription = endpoint({
  revision: 'rev',
  method: 'POST',
  path: `${base}/subscriptions`,
  summary: 'Sends events to a URL from now on.',
  body: writeSubscriptionSchema,
  output: subscriptionSchema,
  status: 201,
})
export const showSubscription = endpoint({
  revision: 'rev',
  method: 'GET',
  path: `${base}/subscriptions/:id`,
  summary: 'Shows a subscription, by id or name.',
  params: byId,
  output: subscriptionSchema,
})
export const changeSubscription = endpoint({
  revision: 'rev',
  method: 'PUT',
  path: `${base}/subscriptions/:id`,
  summary: 'Replaces what a subscription says; its secret stays.',
  params: byId,
  body: writeSubscriptionSchema,
  output: subscriptionSchema,
})
export const removeSubscription = endpoint({
  method: 'DELETE',
  path: `${base}/subscriptions/:id`,
  summary: 'Removes a subscription; what it still had to deliver is cancelled.',
  params: byId,
})
export const setSubscriptionState = endpoint({
  method: 'POST',
  path: `${base}/subscriptions/:id/state`,
  summary: 'Pauses a subscription, or lets it go on; events are kept for it meanwhile.',
  params: byId,
  body: z.object({ state: z.enum(['active', 'paused']) }),
  output: subscriptionSchema,
})
export const rotateSubscription = endpoint({
  secret: true,
  method: 'POST',
  path: `${base}/subscriptions/:id/rotate`,
  summary: 'Makes new keys; for the overlap everything is signed with the old ones too.',
  params: byId,
  body: z.object({ overlapSeconds: z.int().min(0).max(2_592_000).default(86_400) }),
  output: subscriptionSecretSchema,
})
export const showSubscriptionSecret = endpoint({
  secret: true,
  method: 'GET',
  path: `${base}/subscriptions/:id/secret`,
  summary: 'Shows the secret and the public key of a subscription.',
  params: byId,
  output: subscriptionSecretSchema,
})
export const testSubscription = endpoint({
  method: 'POST',
  path: `${base}/subscriptions/:id/test`,
  summary: 'Sends one event of type webhook.test.',
  params: byId,
  output: deliverySchema,
  status: 202,
})
export const replayDeliveries = endpoint({
  method: 'POST',
  path: `${base}/subscriptions/:id/replay`,
  summary: 'Sends the deliveries of a time again, the oldest first.',
  params: byId,
  body: z.object({
    from: z.iso.datetime(),
    until: z.iso.datetime().optional(),
    states: z
      .array(z.enum(['delivered', 'dead', 'cancelled']))
      .min(1)
      .default(['dead']),
  }),
  output: z.object({ replayed: z.int() }),
})
export const listDeliveries = endpoint({
  method: 'GET',
  path: `${base}/deliveries`,
  summary: 'Lists deliveries, newest first; dead letters are those in the state dead.',
  query: z.object({
    ...pageQueryShape,
    subscription: z.string().max(100).optional(),
    state: deliveryStateSchema.optional(),
  }),
  output: pageOf(deliverySchema),
})
export const showDelivery = endpoint({
  method: 'GET',
  path: `${base}/deliveries/:id`,
  summary: 'Shows a delivery with its attempts.',
  params: byId,
  output: deliveryDetailSchema,
})
export const redeliver = endpoint({
  method: 'POST',
  path: `${base}/deliveries/:id/redeliver`,
  summary: 'Sends an ended delivery again.',
  params: byId,
  output: deliverySchema,
  status: 202,
})
export const cancelDelivery = endpoint({
  method: 'POST',
  path: `${base}/deliveries/:id/cancel`,
  summary: 'Gives a delivery up that is still open.',
  params: byId,
  output: deliverySchema,
})
export const showWebhooks = endpoint({
  method: 'GET',
  path: `${base}/status`,
  summary: 'What webhooks do at present.',
  output: webhookStatusSchema,
})
export const startWebhooks = endpoint({
  method: 'POST',
  path: `${base}/start`,
  summary: 'Accepts and delivers webhooks (again).',
  output: webhookStatusSchema,
})
export const stopWebhooks = endpoint({
  method: 'POST',
  path: `${base}/stop`,
  summary: 'Refuses incoming webhooks with 503 and holds outgoing ones; nothing is lost.',
  output: webhookStatusSchema,
})
