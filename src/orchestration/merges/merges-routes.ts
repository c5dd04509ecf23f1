import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { PageOfRuns } from '../runs/page-of-runs.ts'
import { explainMerges } from './explain-merges.ts'
import { mergeErrors } from './merge-errors.ts'
import { explainMerges as explanation, listMerges, showMerge } from './merges-contract.ts'
import { readMerges } from './merges-view.ts'

/** Of a run that called hundreds of others. */
const mostExplained = 200
const mostRuns = 2_000

export interface MergeRoutesOptions {
  readonly database: Database
  /** A run and those that it called; the `runs` part provides it. */
  readonly runsUnder: (tx: ReadTx, tenant: TenantId, run: RunId, most: number) => Promise<readonly RunId[]>
  /** The same, of the `runs` part. */
  readonly pageOfRuns: PageOfRuns
}

export function mergeRoutes({ database, runsUnder, pageOfRuns }: MergeRoutesOptions): Route[] {
  return [
    route({
      ...listMerges,
      permission: 'runs:read',
      handle: ({ query, principal: { tenant } }) =>
        pageOfRuns(
          tenant,
          query,
          (tx, filter) => readMerges(tx, tenant, { ...filter, branch: query.branch, state: query.state }),
          (merge) => merge.queuedAt,
        ),
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
    route({
      ...explanation,
      permission: 'runs:read',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const now = database.clock.now()
        const items = await database.forTenant(tenant).read(async (tx) => {
          const limit = mostExplained + 1
          if (!id.startsWith('run_')) return explainMerges(tx, tenant, { id, limit }, now)
          const runs = await runsUnder(tx, tenant, id as RunId, mostRuns)
          return explainMerges(tx, tenant, { runs, limit }, now)
        })
        if (items.length === 0)
          throw mergeErrors['merge-not-found'](`there is no merge ${id}, and no run ${id} that merges`)
        return { items: items.slice(0, mostExplained), more: items.length > mostExplained }
      },
    }),
  ]
}
