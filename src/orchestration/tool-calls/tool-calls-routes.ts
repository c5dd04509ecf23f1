import type { Database } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { runToolCalls, runToolUse } from './tool-calls-contract.ts'
import { listToolCalls, toolUseOfRun } from './tool-calls-store.ts'

const mostTools = 200

/** A run that is not there has no calls. */
export function toolCallRoutes(database: Database): Route[] {
  return [
    route({
      ...runToolCalls,
      permission: 'runs:read',
      handle: async ({ params, query: { step, task, limit, after }, principal: { tenant } }) => {
        const filter = { run: params.id, step, task, before: parsePlace(after), limit: limit + 1 }
        const rows = await database.forTenant(tenant).read((tx) => listToolCalls(tx, tenant, filter))
        return toPage(rows, limit, (call) => call.startedAt)
      },
    }),
    route({
      ...runToolUse,
      permission: 'runs:read',
      handle: async ({ params, principal: { tenant } }) => ({
        items: [...(await database.forTenant(tenant).read((tx) => toolUseOfRun(tx, tenant, params.id, mostTools)))],
      }),
    }),
  ]
}
