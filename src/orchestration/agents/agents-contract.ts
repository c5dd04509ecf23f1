import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

export const agentStateSchema = z.enum([
  'starting',
  'healthy',
  'degraded',
  'unhealthy',
  'draining',
  'stopping',
  'offline',
])

export const agentSchema = z.object({
  id: z.string(),
  pool: z.string(),
  kind: z.string(),
  state: agentStateSchema,
  capabilities: z.array(z.string()),
  /** Tasks it takes at a time, and how many it has. */
  slots: z.int(),
  used: z.int(),
  runnerId: z.string(),
  lastSeenAt: z.iso.datetime(),
})
export type AgentView = z.infer<typeof agentSchema>

export const listAgents = endpoint({
  method: 'GET',
  path: '/api/v1/agents',
  summary: 'Lists the registered agents by pool.',
  query: z.object({ pool: z.string().max(100).optional(), state: agentStateSchema.optional() }),
  output: z.object({ items: z.array(agentSchema) }),
})
