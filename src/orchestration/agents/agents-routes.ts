import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { listAgents } from './agents-contract.ts'
import { readAgents } from './agents-view.ts'

export function agentRoutes(database: Database): Route[] {
  return [
    route({
      ...listAgents,
      permission: 'agents:read',
      handle: async ({ query, principal }) => ({
        items: [...(await database.asSystem('agents-view').read((tx) => readAgents(tx, principal.tenant, query)))],
      }),
    }),
  ]
}
