import { type Route, route } from '../../foundation/platform/http/route.ts'
import { cordonAgent, drainAgent, listAgents, removeAgent, showAgent, uncordonAgent } from './agents-contract.ts'
import type { AgentsService } from './agents-service.ts'

export function agentRoutes(agents: AgentsService): Route[] {
  return [
    route({
      ...listAgents,
      permission: 'agents:read',
      handle: async ({ query, principal }) => ({ items: [...(await agents.list(principal.tenant, query))] }),
    }),
    route({
      ...showAgent,
      permission: 'agents:read',
      handle: ({ params, principal }) => agents.show(principal.tenant, params.id),
    }),
    route({
      ...cordonAgent,
      permission: 'agents:write',
      handle: ({ params, principal }) => agents.cordon(principal.tenant, params.id, principal.id),
    }),
    route({
      ...uncordonAgent,
      permission: 'agents:write',
      handle: ({ params, principal }) => agents.uncordon(principal.tenant, params.id, principal.id),
    }),
    route({
      ...drainAgent,
      permission: 'agents:write',
      handle: ({ params, principal }) => agents.drain(principal.tenant, params.id, principal.id),
    }),
    route({
      ...removeAgent,
      permission: 'agents:write',
      handle: ({ params, principal }) => agents.remove(principal.tenant, params.id, principal.id),
    }),
  ]
}
