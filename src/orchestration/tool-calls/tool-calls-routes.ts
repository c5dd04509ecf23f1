import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { runToolCalls, runToolUse } from './tool-calls-contract.ts'
import { listToolCalls, toolUseOfRun } from './tool-calls-store.ts'

export interface ToolCallRoutesOptions {
  readonly database: Database
  /** Throws `run-not-found`; the `runs` part provides it. */
  readonly requireRun: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<void>
}

const mostTools = 200

/** The calls of tools that agents told of. */
export function toolCallRoutes({ database, requireRun }: ToolCallRoutesOptions): Route[] {
  return [
    route({
      ...runToolCalls,
      permission: 'runs:read',
      handle: async ({ params, query: { step, task, limit, after }, principal: { tenant } }) => {
        const filter = { run: params.id, step, task, before: parsePlace(after), limit: limit + 1 }
        const rows = await database.forTenant(tenant).read(async (tx) => {
          await requireRun(tx, tenant, params.id)
          return listToolCalls(tx, tenant, filter)
        })
        return toPage(rows, limit, (call) => call.startedAt)
      },
    }),
    route({
      ...runToolUse,
      permission: 'runs:read',
      handle: async ({ params, principal: { tenant } }) => {
        const items = await database.forTenant(tenant).read(async (tx) => {
          await requireRun(tx, tenant, params.id)
          return toolUseOfRun(tx, tenant, params.id, mostTools)
        })
        return { items: [...items] }
      },
    }),
  ]
}
