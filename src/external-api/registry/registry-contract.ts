import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

export const registryNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'expected lower-case letters, digits and . _ -')
const capability = z.string().regex(/^[A-Za-z0-9][\w./-]{0,99}$/, 'expected letters, digits and _ . / -')
const microUsd = z.int().min(0).max(1_000_000_000_000)

/** `a2a`: a remote agent, known by its card. `pool`, `workflow`: one of ours. `other`: known by an address alone. */
export const registryKindSchema = z.enum(['a2a', 'pool', 'workflow', 'other'])
export const registryHealthSchema = z.enum(['unknown', 'healthy', 'unhealthy'])

export const publishSchema = z.strictObject({
  kind: registryKindSchema,
  /** URL of the card, name of the pool or workflow, or URL of the agent. */
  target: z.string().min(1).max(2_000),
  /** Default: that of the card. */
  title: z.string().min(1).max(200).optional(),
  description: z.string().max(4_000).optional(),
  version: z.string().max(100).optional(),
  /** Default: those of the card, or of the pool. */
  capabilities: z.array(capability).max(50).optional(),
  /** Who answers for it: a user, a team, an address. Default: who publishes it. */
  owner: z.string().min(1).max(200).optional(),
  /** What a task costs as a rule, in micro-dollars. */
  taskMicroUsd: microUsd.optional(),
  /** What a million tokens cost, in micro-dollars. */
  tokenMicroUsd: microUsd.optional(),
  /** Its address is looked at this often, in seconds; at least 30. Default: never. */
  checkSeconds: z.int().min(30).max(86_400).optional(),
})
export type Publish = z.output<typeof publishSchema>

export const registryEntrySchema = z.object({
  name: z.string(),
  rev: z.int(),
  kind: registryKindSchema,
  target: z.string(),
  title: z.string(),
  description: z.string(),
  version: z.string(),
  capabilities: z.array(z.string()),
  owner: z.string(),
  taskMicroUsd: z.int().nullable(),
  tokenMicroUsd: z.int().nullable(),
  health: registryHealthSchema,
  /** Why it is not healthy. */
  healthError: z.string().nullable(),
  checkedAt: z.iso.datetime().nullable(),
  checkSeconds: z.int().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type RegistryEntryView = z.output<typeof registryEntrySchema>

const byName = z.object({ name: registryNameSchema })

export const publishAgent = endpoint({
  method: 'PUT',
  path: '/api/v1/registry/:name',
  summary: 'Publishes an agent, or changes what is published of it; the card of a remote one is read and checked.',
  params: byName,
  body: publishSchema,
  output: registryEntrySchema,
  revision: 'rev',
})

export const searchRegistry = endpoint({
  method: 'GET',
  path: '/api/v1/registry',
  summary: 'Searches the published agents, by name.',
  query: z.object({
    ...pageQueryShape,
    /** Separated by commas: it must have all of them. */
    capability: z.string().max(1_000).optional(),
    owner: z.string().max(200).optional(),
    kind: registryKindSchema.optional(),
    health: registryHealthSchema.optional(),
    /** Words of its name, title or description. */
    text: z.string().max(200).optional(),
    /** What a task may cost at most, in micro-dollars; agents whose cost nobody says are left out. */
    maxTaskMicroUsd: z.coerce.number().int().min(0).optional(),
  }),
  output: pageOf(registryEntrySchema),
})

export const showRegistered = endpoint({
  method: 'GET',
  path: '/api/v1/registry/:name',
  summary: 'Shows a published agent, with its card where it has one.',
  params: byName,
  output: registryEntrySchema.extend({ card: z.record(z.string(), z.json()).nullable() }),
  revision: 'rev',
})

export const checkRegistered = endpoint({
  method: 'POST',
  path: '/api/v1/registry/:name/check',
  summary: 'Looks now whether a published agent can be reached.',
  params: byName,
  output: registryEntrySchema,
})

export const removeRegistered = endpoint({
  method: 'DELETE',
  path: '/api/v1/registry/:name',
  summary: 'Takes a published agent out of the registry.',
  params: byName,
})
