import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { contextUseSchema } from '../context-growth/context-growth-contract.ts'

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
  /** What somebody wants of it: nothing new (`cordon`, `drain`), to go when it is done (`remove`), to wait (`warm`). */
  intent: z.enum(['cordon', 'drain', 'remove', 'warm']).nullable(),
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

/** What decides which work it gets, and how far budgets bind it. */
export const agentPlacementSchema = z.object({
  labels: z.record(z.string(), z.string()),
  region: z.string().nullable(),
  taints: z.array(z.string()),
  weight: z.number(),
  /** What it hands out; null: slots alone bind it. Cores, bytes, bytes, bytes a second. */
  resources: z.record(z.string(), z.number()).nullable(),
  /** Of money and tokens: every call passes our gateway, or it reaches nothing, or it tells afterwards. Null: its runner does not say. */
  enforcement: z.enum(['metered', 'capped', 'reported']).nullable(),
})
export type AgentPlacement = z.infer<typeof agentPlacementSchema>

export const agentDetailSchema = z.object({
  agent: agentSchema,
  placement: agentPlacementSchema,
  /** What it works on. */
  leases: z.array(
    z.object({
      taskId: z.string(),
      runId: z.string(),
      step: z.string(),
      state: z.string(),
      attempt: z.int(),
      leasedAt: z.iso.datetime(),
      progressAt: z.iso.datetime().nullable(),
      /** How full its context is, where the agent tells it. */
      context: contextUseSchema.nullable(),
    }),
  ),
})
export type AgentDetail = z.infer<typeof agentDetailSchema>

const params = z.object({ id: z.string().min(1).max(200) })

export const showAgent = endpoint({
  method: 'GET',
  path: '/api/v1/agents/:id',
  summary: 'Shows an agent and what it works on.',
  params,
  output: agentDetailSchema,
})

export const cordonAgent = endpoint({
  method: 'POST',
  path: '/api/v1/agents/:id/cordon',
  summary: 'Gives an agent nothing new; what it has goes on.',
  params,
  output: agentSchema,
})

export const uncordonAgent = endpoint({
  method: 'POST',
  path: '/api/v1/agents/:id/uncordon',
  summary: 'Lets an agent take work again.',
  params,
  output: agentSchema,
})

export const drainAgent = endpoint({
  method: 'POST',
  path: '/api/v1/agents/:id/drain',
  summary: 'Gives an agent nothing new; it is drained when it uses no slot any more.',
  params,
  output: agentSchema,
})

export const removeAgent = endpoint({
  method: 'DELETE',
  path: '/api/v1/agents/:id',
  summary: 'Lets an agent finish what it has, then stops and forgets it.',
  params,
  output: z.object({ id: z.string(), state: agentStateSchema }),
  status: 202,
})
