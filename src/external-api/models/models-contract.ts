import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

const name = z.string().trim().min(1).max(200)
const id = z.string().min(1).max(300)
const moment = z.iso.datetime()
const usdPerMillion = z.number().nullable()

export const modelSchema = z.object({
  /** What a call names: an alias, the name of a model, or names with `*` for any text. */
  name: z.string(),
  /** Where calls go, in order of preference. */
  targets: z.array(z.object({ account: z.string(), provider: z.string(), model: z.string() })),
  /** Of the first, US$ per million tokens; null: nobody knows it, so a call under a US$ budget is refused. */
  price: z.object({ input: usdPerMillion, output: usdPerMillion }).nullable(),
})
export type ModelView = z.infer<typeof modelSchema>

export const listModels = endpoint({
  method: 'GET',
  path: '/api/v1/models',
  summary: 'Lists the models that the tenant can call through the gateway, with accounts and prices.',
  output: z.object({ items: z.array(modelSchema) }),
})

export const modelKeySchema = z.object({
  id: z.string(),
  prefix: z.string(),
  name: z.string(),
  /** Null: all models. */
  models: z.array(z.string()).nullable(),
  team: z.string().nullable(),
  workflow: z.string().nullable(),
  runId: z.string().nullable(),
  taskId: z.string().nullable(),
  attempt: z.int().nullable(),
  agentId: z.string().nullable(),
  createdBy: z.string(),
  createdAt: moment,
  expiresAt: moment,
  revokedAt: moment.nullable(),
})
export type ModelKeyView = z.infer<typeof modelKeySchema>

export const createModelKeySchema = z.object({
  name,
  /** Only these models. */
  models: z.array(name).min(1).max(100).optional(),
  team: id.optional(),
  workflow: id.optional(),
  run: id.optional(),
  /** While somebody works on it, the key ends with the lease. */
  task: id.optional(),
  agent: id.optional(),
  /** It lives so long. */
  seconds: z.int().min(60).max(2_592_000).default(3_600),
})
export type CreateModelKey = z.output<typeof createModelKeySchema>

export const createModelKey = endpoint({
  method: 'POST',
  path: '/api/v1/models/keys',
  summary:
    'Makes a key that calls models on the account of a run, a task, an agent or a team. It is in this answer and nowhere else.',
  body: createModelKeySchema,
  output: z.object({ key: z.string(), ...modelKeySchema.shape }),
  status: 201,
  secret: true,
})

export const listModelKeysEndpoint = endpoint({
  method: 'GET',
  path: '/api/v1/models/keys',
  summary: 'Lists model keys, newest first.',
  query: z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(50) }),
  output: z.object({ items: z.array(modelKeySchema) }),
})

export const revokeModelKeyEndpoint = endpoint({
  method: 'POST',
  path: '/api/v1/models/keys/:id/revoke',
  summary: 'Ends a model key; what it streams is cut within seconds.',
  params: z.object({ id }),
  output: modelKeySchema,
})

export const modelCallSchema = z.object({
  id: z.string(),
  runId: z.string().nullable(),
  taskId: z.string().nullable(),
  agentId: z.string().nullable(),
  keyId: z.string().nullable(),
  wire: z.enum(['chat', 'responses', 'embeddings', 'messages']),
  asked: z.string(),
  model: z.string(),
  account: z.string(),
  provider: z.string(),
  /** `answered`; `refused` by the provider as wrong; `failed` before or in the middle; `cut` by the caller. */
  outcome: z.enum(['answered', 'refused', 'failed', 'cut']),
  status: z.int().nullable(),
  streamed: z.boolean(),
  /** False: the provider's count never came, so all that was held counts as spent. */
  counted: z.boolean(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheReadTokens: z.int(),
  cacheWriteTokens: z.int(),
  microUsd: z.int().nullable(),
  heldMicroUsd: z.int(),
  heldTokens: z.int(),
  startedAt: moment,
  endedAt: moment,
  /** Until the call left, ms. */
  waitMs: z.int(),
  firstByteMs: z.int().nullable(),
})
export type ModelCallView = z.infer<typeof modelCallSchema>

export const listModelCalls = endpoint({
  method: 'GET',
  path: '/api/v1/models/calls',
  summary: 'Lists model calls that are over, newest first.',
  query: z.object({ ...pageQueryShape, run: id.optional() }),
  output: pageOf(modelCallSchema),
})

export const showModelCall = endpoint({
  method: 'GET',
  path: '/api/v1/models/calls/:id/contents',
  summary: 'Shows what was said in a call, where the tenant has it kept.',
  params: z.object({ id }),
  output: z.object({ id: z.string(), request: z.string(), answer: z.string(), cut: z.boolean(), keptUntil: moment }),
})

export const modelSpendingSchema = z.object({
  model: z.string(),
  account: z.string(),
  calls: z.int(),
  /** Calls whose count never came. */
  uncounted: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheReadTokens: z.int(),
  cacheWriteTokens: z.int(),
  microUsd: z.int(),
})
export type ModelSpending = z.infer<typeof modelSpendingSchema>

export const showRunModels = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/models',
  summary: 'What the model calls of a run have cost, by model and account.',
  params: z.object({ id }),
  output: z.object({ items: z.array(modelSpendingSchema), microUsd: z.int() }),
})

export const modelSettingsSchema = z.object({
  /** Requests and answers are kept. Default: they are not. */
  keepContents: z.boolean(),
  /** For so many days. */
  keepDays: z.int().min(1).max(365),
})
export type ModelSettings = z.infer<typeof modelSettingsSchema>

const settingsView = z.object({ ...modelSettingsSchema.shape, rev: z.int() })

export const showModelSettings = endpoint({
  method: 'GET',
  path: '/api/v1/models/settings',
  summary: 'Whether the contents of model calls are kept.',
  output: settingsView,
  revision: 'rev',
})

export const setModelSettings = endpoint({
  method: 'PUT',
  path: '/api/v1/models/settings',
  summary: 'Says whether the contents of model calls are kept, and for how long.',
  body: z.object({ keepContents: z.boolean(), keepDays: modelSettingsSchema.shape.keepDays.default(30) }),
  output: settingsView,
  revision: 'rev',
})
