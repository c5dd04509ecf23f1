import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

const amount = z.number().min(0)
/** Cores, bytes, bytes, bytes a second. */
const amounts = z.object({ cpu: amount, memory: amount, disk: amount, network: amount })
/** What is absent has no bounds, or is not known. */
const someAmounts = amounts.partial()
const share = z.number().min(0).max(1)
/** Share in use, 0 to 1. */
const shares = z.object({ cpu: share, memory: share, disk: share, network: share }).partial()

export const resourcesSchema = z.object({
  at: z.iso.datetime(),
  /** What was measured of the machine that answers; null for who does not run the installation. */
  host: z.object({ capacity: someAmounts, utilisation: shares }).nullable(),
  agents: z.array(
    z.object({
      id: z.string(),
      pool: z.string(),
      state: z.string(),
      slots: z.int(),
      used: z.int(),
      /** What it hands out; null: slots alone bind it. */
      capacity: someAmounts.nullable(),
      /** What its leases were given. */
      held: amounts,
      utilisation: shares,
    }),
  ),
  pools: z.array(
    z.object({
      pool: z.string(),
      agents: z.int(),
      slots: z.int(),
      used: z.int(),
      held: amounts,
      capacity: someAmounts,
      utilisation: shares,
    }),
  ),
  /** Machines whose agents share what they hand out. `held` is that of this tenant. */
  runners: z.array(z.object({ id: z.string(), capacity: someAmounts, held: amounts, utilisation: shares })),
})
export type ResourcesView = z.infer<typeof resourcesSchema>

export const showResources = endpoint({
  method: 'GET',
  path: '/api/v1/resources',
  summary: 'What agents hand out and what leases hold of it: cpu, memory, disk and network.',
  output: resourcesSchema,
})

export const optimizationSchema = z.object({
  workflow: z.string(),
  step: z.string(),
  attempts: z.int(),
  /** Hours that they took together. */
  hours: z.number(),
  /** What the step asks for. */
  request: amounts,
  /** The 95th percentile of what its attempts used; absent: not measured. */
  p95: someAmounts,
  most: someAmounts,
  /** What it should ask for; the same as the request where that fits, or nothing is known. */
  proposal: amounts,
  advice: z.enum(['smaller', 'larger', 'keep', 'too few attempts']),
  /** What the proposal would have left free over the hours; negative where it asks for more. */
  saving: z.object({ coreHours: z.number(), memoryGbHours: z.number(), diskGbHours: z.number() }),
})
export type Optimization = z.infer<typeof optimizationSchema>

export const optimizeResources = endpoint({
  method: 'GET',
  path: '/api/v1/resources/optimize',
  summary: 'Compares what steps ask for with what their attempts used (p95), and proposes sizes.',
  query: z.object({
    workflow: z.string().max(100).optional(),
    days: z.coerce.number().int().min(1).max(90).optional(),
  }),
  output: z.object({
    since: z.iso.datetime(),
    items: z.array(optimizationSchema),
    saving: optimizationSchema.shape.saving,
  }),
})
