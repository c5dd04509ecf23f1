import { z } from 'zod'
import { jsonSchema } from '../../foundation/kernel/json-schema.ts'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { cloudEventSchema } from './cloud-event-contract.ts'
import { customTypePattern } from './event-types-contract.ts'

const text = z.string().min(1).max(200)
const types = z.string().max(1_000)
/** A cursor to start after, a time, `start` for the oldest event kept, `now` for what comes. */
const from = z.string().max(200)

/** Which events: all that fit every field. */
const filterShape = {
  /** Comma-separated types, `task.*` for all of a kind. */
  types: types.optional(),
  run: text.optional(),
  agent: text.optional(),
  /** `<kind>/<id>`, or a kind alone. */
  subject: text.optional(),
}
export const groupFilterSchema = z.strictObject(filterShape)
export type GroupFilter = z.output<typeof groupFilterSchema>

const groupName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'expected lower-case letters, digits, - and _, starting with a letter')
const byName = z.object({ name: groupName })
const member = z.string().min(1).max(100).default('anonymous')

export const createGroupSchema = z.strictObject({
  name: groupName,
  filter: groupFilterSchema.default({}),
  from: from.default('now'),
  /** What is not acknowledged for so long is handed to another member. */
  ackSeconds: z.int().min(1).max(43_200).default(30),
  /** After so many attempts an event is set aside as dead. */
  maxAttempts: z.int().min(1).max(1_000).default(10),
})
export type CreateGroup = z.output<typeof createGroupSchema>

export const groupSchema = z.object({
  name: z.string(),
  filter: groupFilterSchema,
  cursor: z.string(),
  ackSeconds: z.number(),
  maxAttempts: z.int(),
  /** Handed out, not acknowledged. */
  leased: z.int(),
  dead: z.int(),
  rev: z.int(),
  createdAt: z.iso.datetime(),
})
export type GroupView = z.output<typeof groupSchema>

/** An event in the hands of a member; `token` acknowledges this hand-out of it and no other. */
export const leasedEventSchema = z.object({ token: z.string(), attempt: z.int(), event: cloudEventSchema })
export type LeasedEvent = z.output<typeof leasedEventSchema>

export const tokensSchema = z.array(z.string().max(200)).min(1).max(1_000)

export const streamStatusSchema = z.object({
  status: z.enum(['healthy', 'degraded', 'stopped']),
  /** What replicas are fed from. */
  source: z.enum(['database', 'nats']),
  cursor: z.string(),
  /** Of this process, since it started. */
  subscribers: z.int(),
  eventsDelivered: z.int(),
  groups: z.int(),
  relay: z
    .object({
      connected: z.boolean(),
      /** Events published by this process. */
      published: z.int(),
      error: z.string().nullable(),
    })
    .nullable(),
  keepEventsMs: z.number(),
  resumeMs: z.number(),
})
export type StreamStatus = z.output<typeof streamStatusSchema>

export const cursorSchema = z.object({
  name: z.string(),
  cursor: z.string(),
  movedAt: z.iso.datetime(),
  /** When the oldest event was made that it has not read; null where it has read all. */
  unreadSince: z.iso.datetime().nullable(),
  /** Events older than `keepEventsMs` are kept because it has not read them. */
  holdsBack: z.boolean(),
  /** The log no longer goes back to its place. */
  lost: z.boolean(),
})
export type CursorView = z.output<typeof cursorSchema>

const base = '/api/v1/stream'

export const tailStream = endpoint({
  method: 'GET',
  path: base,
  summary: 'Events as CloudEvents, as they are committed; resumes after `Last-Event-ID`.',
  query: z.object({ ...filterShape, from: from.optional() }),
  output: cloudEventSchema,
  reply: 'events',
})
export const streamSocket = endpoint({
  method: 'GET',
  path: `${base}/socket`,
  summary: 'The same over a WebSocket; with `group`, as a member of a consumer group.',
  query: z.object({
    ...filterShape,
    from: from.optional(),
    group: groupName.optional(),
    member,
    /** Of a member: events it may hold unacknowledged. */
    window: z.coerce.number().int().min(1).max(1_000).default(100),
  }),
  reply: 'socket',
})
export const replayStream = endpoint({
  method: 'GET',
  path: `${base}/replay`,
  summary: 'Events that were committed before the call, oldest first; ends at the last.',
  query: z.object({ ...filterShape, from: from.default('start') }),
  output: cloudEventSchema,
  reply: 'lines',
})
export const publishEvent = endpoint({
  method: 'POST',
  path: `${base}/publish`,
  summary: 'Appends an event of your own to the log.',
  body: z.strictObject({
    type: z.string().regex(customTypePattern, 'expected words with dots between, for example deploy.finished'),
    subject: text.optional(),
    run: text.optional(),
    data: jsonSchema.default(null),
  }),
  output: z.object({ type: z.string(), subject: z.string() }),
  status: 201,
})
export const showStream = endpoint({
  method: 'GET',
  path: `${base}/status`,
  summary: 'What the event stream does at present.',
  output: streamStatusSchema,
})
export const startStreams = endpoint({
  method: 'POST',
  path: `${base}/start`,
  summary: 'Lets streams be opened (again).',
  output: streamStatusSchema,
})
export const stopStreams = endpoint({
  method: 'POST',
  path: `${base}/stop`,
  summary: 'Ends all streams of the tenant and refuses new ones with 503; events are recorded all the same.',
  output: streamStatusSchema,
})
export const listGroups = endpoint({
  method: 'GET',
  path: `${base}/groups`,
  summary: 'Lists consumer groups.',
  output: z.object({ items: z.array(groupSchema) }),
})
export const createGroup = endpoint({
  method: 'POST',
  path: `${base}/groups`,
  summary: 'Makes a consumer group: its members share the events, each is handed out until it is acknowledged.',
  body: createGroupSchema,
  output: groupSchema,
  status: 201,
})
export const showGroup = endpoint({
  method: 'GET',
  path: `${base}/groups/:name`,
  summary: 'Shows a consumer group.',
  params: byName,
  output: groupSchema,
})
export const removeGroup = endpoint({
  method: 'DELETE',
  path: `${base}/groups/:name`,
  summary: 'Removes a consumer group with all that it has handed out.',
  params: byName,
})
export const seekGroup = endpoint({
  method: 'POST',
  path: `${base}/groups/:name/seek`,
  summary: 'Lets a group go on from another place; what it has handed out is forgotten.',
  params: byName,
  body: z.strictObject({ from }),
  output: groupSchema,
})
export const pullGroup = endpoint({
  method: 'POST',
  path: `${base}/groups/:name/pull`,
  summary: 'Hands out events to a member; waits for some where there are none.',
  params: byName,
  body: z.strictObject({
    member,
    max: z.int().min(1).max(1_000).default(100),
    waitSeconds: z.number().min(0).max(30).default(0),
  }),
  output: z.object({ events: z.array(leasedEventSchema) }),
})
export const ackGroup = endpoint({
  method: 'POST',
  path: `${base}/groups/:name/ack`,
  summary: 'Says that events are done with. Tokens of a hand-out that is over change nothing.',
  params: byName,
  body: z.strictObject({ tokens: tokensSchema }),
  output: z.object({ acked: z.int() }),
})
export const nackGroup = endpoint({
  method: 'POST',
  path: `${base}/groups/:name/nack`,
  summary: 'Gives events back, to be handed out again after the delay.',
  params: byName,
  body: z.strictObject({ tokens: tokensSchema, delaySeconds: z.number().min(0).max(43_200).default(0) }),
  output: z.object({ returned: z.int() }),
})
export const reviveGroup = endpoint({
  method: 'POST',
  path: `${base}/groups/:name/revive`,
  summary: 'Hands the events out again that had been set aside as dead.',
  params: byName,
  output: z.object({ revived: z.int() }),
})
export const listCursors = endpoint({
  method: 'GET',
  path: `${base}/cursors`,
  summary: 'The durable readers of the log of all tenants, and which of them keep old events from being dropped.',
  output: z.object({ items: z.array(cursorSchema) }),
})
export const removeCursor = endpoint({
  method: 'DELETE',
  path: `${base}/cursors/:name`,
  summary: 'Forgets a durable reader that is gone for good: what it has not read is no longer kept for it.',
  params: z.object({ name: text }),
  query: z.object({
    /** Also one that has moved within the last hour; it begins anew at the end of the log. */
    force: z.stringbool().default(false),
  }),
  output: cursorSchema,
})
const natsExport = z.union([
  z.object({ stream: z.string(), accounts: z.array(z.string()) }),
  z.object({ service: z.string(), response_type: z.literal('stream').optional(), accounts: z.array(z.string()) }),
])
const natsSource = z.object({ account: z.string(), subject: z.string() })
const natsImport = z.union([
  z.object({ stream: natsSource }),
  z.object({ service: natsSource, to: z.string().optional() }),
])
export const natsAccessSchema = z.object({
  consumer: z.object({ stream: z.string(), name: z.string(), subjects: z.string() }),
  /** Whether the consumer is there; false where this server has no NATS. */
  consumerMade: z.boolean(),
  /** For an account of the tenant's own: what the account of the platform exports to it, and what it imports. */
  account: z.object({
    name: z.string(),
    platformAccount: z.string(),
    /** What clients of the account give as the prefix of the JetStream API. */
    apiPrefix: z.string(),
    exports: z.array(natsExport),
    imports: z.array(natsImport),
  }),
  /** For a user in the account of the platform: live events alone. */
  user: z.object({
    publish: z.object({ deny: z.array(z.string()) }),
    subscribe: z.object({ allow: z.array(z.string()) }),
  }),
})
export const natsAccess = endpoint({
  method: 'POST',
  path: `${base}/nats-access`,
  summary:
    'Makes the JetStream consumer of this tenant, and tells what its NATS account or user needs to read its own events.',
  output: natsAccessSchema,
})
