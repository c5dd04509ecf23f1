import type { Database } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { mergeErrors } from './merge-errors.ts'
import { listMerges, showMerge } from './merges-contract.ts'
import { readMerges } from './merges-view.ts'

export function mergeRoutes(database: Database): Route[] {
  return [
    route({
      ...listMerges,
      permission: 'runs:read',
      handle: async ({ query: { run, branch, state, limit, after }, principal: { tenant } }) => {
        const filter = { run, branch, state, before: parsePlace(after), limit: limit + 1 }
        const rows = await database.forTenant(tenant).read((tx) => readMerges(tx, tenant, filter))
        return toPage([...rows], limit, (merge) => merge.queuedAt)
      },
    }),
    route({
      ...showMerge,
      permission: 'runs:read',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const [merge] = await database
          .forTenant(tenant)
          .read((tx) => readMerges(tx, tenant, { id, before: null, limit: 1 }))
        if (merge === undefined) throw mergeErrors['merge-not-found'](`there is no merge ${id}`)
        return merge
      },
    }),
  ]
}
