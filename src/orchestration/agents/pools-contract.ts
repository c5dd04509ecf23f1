import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

export const poolSchema = z.object({
  name: z.string(),
  /** How tasks are spread over its agents. */
  strategy: z.string(),
  /** Agents there should be; null: as many as their hosts bring along. */
  desired: z.int().nullable(),
  /** Agents kept started beside them. */
  warm: z.int(),
  /** Agents by state. */
  byState: z.record(z.string(), z.int()),
  slots: z.int(),
  used: z.int(),
})
export type PoolView = z.infer<typeof poolSchema>

export const listPools = endpoint({
  method: 'GET',
  path: '/api/v1/pools',
  summary: 'Lists pools with their agents and sizes.',
  output: z.object({ items: z.array(poolSchema) }),
})
