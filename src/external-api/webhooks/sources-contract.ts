import { z } from 'zod'
import { jsonSchema } from '../../foundation/kernel/json-schema.ts'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { customTypePattern } from '../streams/event-types-contract.ts'

export const webhookNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'expected lower-case letters, digits, - and _, starting with a letter')
const headerName = z.string().regex(/^[a-z0-9-]{1,64}$/, 'expected the name of a header in lower case')
const condition = z.string().min(1).max(2_000)

/** How a sender signs. */
export const presetSchema = z.enum(['github', 'gitlab', 'slack', 'stripe', 'standard-webhooks', 'hmac'])
export type Preset = z.infer<typeof presetSchema>

/** For `hmac`: how the signature is made and where it stands. */
export const hmacOptionsSchema = z.strictObject({
  header: headerName.default('x-signature'),
  algorithm: z.enum(['sha256', 'sha1', 'sha512']).default('sha256'),
  encoding: z.enum(['hex', 'base64', 'base64url']).default('hex'),
  /** Text before the signature, for example `sha256=`. */
  prefix: z.string().max(32).default(''),
  /** What is signed; `{timestamp}`, `{id}` and `{body}` stand for themselves. */
  template: z
    .string()
    .max(100)
    .refine((text) => text.includes('{body}'), 'the body must be part of what is signed')
    .default('{body}'),
  timestampHeader: headerName.optional(),
  idHeader: headerName.optional(),
  typeHeader: headerName.optional(),
})
export type HmacOptions = z.output<typeof hmacOptionsSchema>

/** Templates of a rule may hold `${{ }}` over `headers`, `payload`, `source` and `delivery`. */
const when = condition.optional()
export const ruleSchema = z.union([
  z.strictObject({
    when,
    start: z.strictObject({
      workflow: z.string().min(1).max(200),
      inputs: z.record(z.string(), jsonSchema).default({}),
      labels: z.record(z.string(), z.string()).default({}),
    }),
  }),
  z.strictObject({
    when,
    publish: z.strictObject({
      type: z.string().regex(customTypePattern, 'expected words with dots between, for example deploy.finished'),
      subject: z.string().max(500).optional(),
      data: jsonSchema.optional(),
    }),
  }),
  z.strictObject({
    when,
    /** Ends the wait of one run for an event of this type. */
    resume: z.strictObject({
      run: z.string().min(1).max(500),
      event: z.string().regex(customTypePattern, 'expected words with dots between, for example deploy.finished'),
      data: jsonSchema.optional(),
    }),
  }),
])
export type Rule = z.output<typeof ruleSchema>

export const writeSourceSchema = z.strictObject({
  name: webhookNameSchema,
  preset: presetSchema,
  /** Names of configured secrets, the newest first; two while one is being replaced. Left out: one is made. */
  secrets: z.array(z.string().max(100)).max(2).default([]),
  /** How far a signed time may be from now. Default 300 s. */
  toleranceSeconds: z.int().min(1).max(86_400).default(300),
  hmac: hmacOptionsSchema.optional(),
  rules: z.array(ruleSchema).max(50).default([]),
  rate: z
    .strictObject({
      limit: z.int().min(1).max(10_000_000).default(100),
      seconds: z.int().min(1).max(3_600).default(60),
    })
    .default({ limit: 100, seconds: 60 }),
  enabled: z.boolean().default(true),
})
export type WriteSource = z.output<typeof writeSourceSchema>

export const sourceSchema = writeSourceSchema.extend({
  id: z.string(),
  rev: z.int(),
  /** Where the sender sends to, on this server. */
  path: z.string(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type SourceView = z.output<typeof sourceSchema>

/** The secret that was made for a source; null where it names its own. */
export const sourceSecretSchema = z.object({ id: z.string(), secret: z.string().nullable() })

export const receiptStateSchema = z.enum(['received', 'retrying', 'routed', 'ignored', 'failed'])
export type ReceiptState = z.infer<typeof receiptStateSchema>

export const outcomeSchema = z.object({
  rule: z.int(),
  action: z.enum(['start', 'publish', 'resume']),
  runId: z.string().optional(),
  type: z.string().optional(),
})
export type Outcome = z.infer<typeof outcomeSchema>

export const receiptSchema = z.object({
  id: z.string(),
  sourceId: z.string(),
  source: z.string().nullable(),
  deliveryId: z.string(),
  state: receiptStateSchema,
  attempt: z.int(),
  receivedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  outcomes: z.array(outcomeSchema),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
})
export type ReceiptView = z.infer<typeof receiptSchema>

export const byId = z.object({ id: z.string().min(1).max(100) })
const base = '/api/v1/webhooks'

export const listSources = endpoint({
  method: 'GET',
  path: `${base}/sources`,
  summary: 'Lists the sources of incoming webhooks.',
  output: z.object({ items: z.array(sourceSchema) }),
})
export const createSource = endpoint({
  revision: 'rev',
  method: 'POST',
  path: `${base}/sources`,
  summary: 'Adds a source of incoming webhooks; it has an address of its own.',
  body: writeSourceSchema,
  output: sourceSchema,
  status: 201,
})
export const showSource = endpoint({
  revision: 'rev',
  method: 'GET',
  path: `${base}/sources/:id`,
  summary: 'Shows a source, by id or name.',
  params: byId,
  output: sourceSchema,
})
export const changeSource = endpoint({
  revision: 'rev',
  method: 'PUT',
  path: `${base}/sources/:id`,
  summary: 'Replaces what a source says; its address and its secret stay.',
  params: byId,
  body: writeSourceSchema,
  output: sourceSchema,
})
export const removeSource = endpoint({
  method: 'DELETE',
  path: `${base}/sources/:id`,
  summary: 'Removes a source; what it has received stays until it is old.',
  params: byId,
})
export const rotateSource = endpoint({
  secret: true,
  method: 'POST',
  path: `${base}/sources/:id/rotate`,
  summary: 'Makes a new secret for a source; the old one is accepted for the overlap.',
  params: byId,
  body: z.object({ overlapSeconds: z.int().min(0).max(2_592_000).default(86_400) }),
  output: sourceSecretSchema,
})
export const showSourceSecret = endpoint({
  secret: true,
  method: 'GET',
  path: `${base}/sources/:id/secret`,
  summary: 'Shows the secret that was made for a source.',
  params: byId,
  output: sourceSecretSchema,
})
export const listReceipts = endpoint({
  method: 'GET',
  path: `${base}/receipts`,
  summary: 'Lists what was received, newest first.',
  query: z.object({ ...pageQueryShape, source: z.string().max(100).optional(), state: receiptStateSchema.optional() }),
  output: pageOf(receiptSchema),
})
export const routeReceipt = endpoint({
  method: 'POST',
  path: `${base}/receipts/:id/route`,
  summary: 'Applies the present rules to a received webhook once more.',
  params: byId,
  output: receiptSchema,
})
