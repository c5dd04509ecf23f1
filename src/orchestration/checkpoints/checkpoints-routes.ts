import type { Database } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { RunRow } from '../runs/run-rows.ts'
import type { RunView } from '../runs/runs-contract.ts'
import { forkCheckpoint, listCheckpoints, makeCheckpoint, restoreCheckpoint } from './checkpoints-contract.ts'
import type { CheckpointsService } from './checkpoints-service.ts'
import { listCheckpoints as readCheckpoints, toView } from './checkpoints-store.ts'

export interface CheckpointRoutesOptions {
  readonly database: Database
  readonly checkpoints: CheckpointsService
  /** How a run is shown; the `runs` part provides it. */
  readonly toRunView: (run: RunRow) => RunView
}

export function checkpointRoutes({ database, checkpoints, toRunView }: CheckpointRoutesOptions): Route[] {
  return [
    route({
      ...makeCheckpoint,
      permission: 'checkpoints:write',
      handle: async ({ body, principal }) => toView(await checkpoints.make(principal.tenant, body)),
    }),
    route({
      ...listCheckpoints,
      permission: 'checkpoints:read',
      handle: async ({ query, principal }) => {
        const { tenant } = principal
        const before = parsePlace(query.after)
        const rows = await database
          .forTenant(tenant)
          .read((tx) => readCheckpoints(tx, tenant, { run: query.run, before, limit: query.limit + 1 }))
        const page = toPage(rows, query.limit, (row) => row.created_at)
        return { items: page.items.map(toView), next: page.next }
      },
    }),
    route({
      ...restoreCheckpoint,
      permission: 'checkpoints:write',
      handle: async ({ params, principal }) =>
        toRunView(await checkpoints.restore(principal.tenant, params.id, 'restore', null, principal.id)),
    }),
    route({
      ...forkCheckpoint,
      permission: 'checkpoints:write',
      handle: async ({ params, body, principal }) =>
        toRunView(await checkpoints.restore(principal.tenant, params.id, 'fork', body.from ?? null, principal.id)),
    }),
  ]
}
