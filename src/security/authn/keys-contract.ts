import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { permissionPatternSchema, roleSchema } from '../authz/roles-contract.ts'

const keyParams = z.object({ id: z.string().min(1).max(100) })
const label = z.string().trim().min(1).max(200)
const day = 86_400

export const keyStateSchema = z.enum(['active', 'expired', 'revoked'])

export const keySchema = z.object({
  id: z.string(),
  /** The first letters of the key, by which a person knows it again. */
  prefix: z.string(),
  name: z.string(),
  role: roleSchema,
  /** Null: all that the role allows. */
  scopes: z.array(z.string()).nullable(),
  /** May administer tenants, and act for any of them. */
  platform: z.boolean(),
  memberId: z.string().nullable(),
  /** Addresses and ranges it may be used from; null: from anywhere. */
  networks: z.array(z.string()).nullable(),
  state: keyStateSchema,
  rotatedFrom: z.string().nullable(),
  rev: z.int(),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
  /** To within a minute. */
  lastUsedAt: z.iso.datetime().nullable(),
})
export type KeyView = z.infer<typeof keySchema>

/** The only answers that hold a key in the clear: it is stored nowhere. */
export const newKeySchema = z.object({ key: z.string(), ...keySchema.shape })
export type NewKeyView = z.infer<typeof newKeySchema>

export const createKeySchema = z.object({
  name: label,
  role: roleSchema.default('viewer'),
  scopes: z.array(permissionPatternSchema).min(1).max(50).optional(),
  platform: z.boolean().default(false),
  memberId: z.string().min(1).max(100).optional(),
  networks: z.array(z.string().min(2).max(50)).min(1).max(50).optional(),
  /** Seconds from now; null: never. */
  expiresIn: z
    .int()
    .min(60, 'a key lasts for a minute at least')
    .max(3_650 * day)
    .nullable()
    .default(365 * day),
})
export type CreateKey = z.output<typeof createKeySchema>

export const createKeyEndpoint = endpoint({
  method: 'POST',
  path: '/api/v1/keys',
  summary: 'Makes a key. It is in this answer and nowhere else.',
  body: createKeySchema,
  output: newKeySchema,
  status: 201,
  secret: true,
})

export const listKeys = endpoint({
  method: 'GET',
  path: '/api/v1/keys',
  summary: 'Lists the keys of the tenant, newest first.',
  query: z.object({ ...pageQueryShape, state: keyStateSchema.optional() }),
  output: pageOf(keySchema),
})

export const showKey = endpoint({
  method: 'GET',
  path: '/api/v1/keys/:id',
  summary: 'Shows a key, without what makes it one.',
  params: keyParams,
  output: keySchema,
  revision: 'rev',
})

export const rotateKey = endpoint({
  method: 'POST',
  path: '/api/v1/keys/:id/rotate',
  summary: 'Makes a successor with the same rights; the old key goes on for the overlap.',
  params: keyParams,
  body: z.object({
    /** Seconds for which both are valid. */
    overlap: z
      .int()
      .min(0)
      .max(30 * day)
      .default(day),
  }),
  output: newKeySchema,
  status: 201,
  secret: true,
})

export const revokeKey = endpoint({
  method: 'POST',
  path: '/api/v1/keys/:id/revoke',
  summary: 'Ends a key at once. Streams that it opened end within seconds.',
  params: keyParams,
  output: keySchema,
  revision: 'rev',
})

export const whoAmI = endpoint({
  method: 'GET',
  path: '/api/v1/whoami',
  summary: 'Who the caller is, and what it may do.',
  output: z.object({
    id: z.string(),
    tenant: z.string(),
    key: z.string().nullable(),
    permissions: z.array(z.string()),
    /** Each of these lists must allow it as well. */
    within: z.array(z.array(z.string())),
  }),
})

export const runnerTokenSchema = z.object({
  token: z.string(),
  id: z.string(),
  name: z.string(),
  expiresAt: z.iso.datetime(),
})
export type RunnerTokenView = z.infer<typeof runnerTokenSchema>

const runnerTokenTime = z.int().min(60).max(3_600).default(900)

export const createRunnerToken = endpoint({
  method: 'POST',
  path: '/api/v1/runner-tokens',
  summary: 'Makes a short-lived token with which a runner fetches work and reports on it.',
  body: z.object({ name: label, expiresIn: runnerTokenTime }),
  output: runnerTokenSchema,
  status: 201,
  secret: true,
})

export const renewRunnerToken = endpoint({
  method: 'POST',
  path: '/api/v1/runner-tokens/renew',
  summary: 'Gives the runner that calls a new token; the one it called with goes on for a minute.',
  openBody: true,
  body: z.object({ expiresIn: runnerTokenTime }),
  output: runnerTokenSchema,
  status: 201,
  secret: true,
})
