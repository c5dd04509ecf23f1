import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { type QueueView, showQueue } from './queue-contract.ts'
import { mostCounted, readQueue } from './queue-figures.ts'
import type { DetailSources } from './run-views.ts'

type ExplainWaiting = DetailSources['explainWaiting']

export function queueRoutes(database: Database, explainWaiting: ExplainWaiting): Route[] {
  return [
    route({
      ...showQueue,
      permission: 'runs:read',
      handle: ({ principal: { tenant } }) =>
        database.forTenant(tenant).read(async (tx) => ({
          at: database.clock.now().toISOString(),
          items: (await readQueue(tx, tenant)).map(({ oldestAt, ...item }) => ({
            ...item,
            oldestAt: oldestAt.toISOString(),
          })),
          reasons: [...(await readReasons(tx, tenant))],
          unserved: await readUnserved(tx, tenant, explainWaiting),
        })),
    }),
  ]
}

/** Lanes of ready tasks that are explained, the fullest first. */
const mostLanes = 200

/** Why ready tasks have no agent. One task of a lane speaks for all: those of one lane ask for the same. */
export async function readUnserved(
  tx: ReadTx,
  tenant: TenantId,
  explainWaiting: ExplainWaiting,
): Promise<QueueView['unserved']> {
  const lanes = await tx.query<{ id: string; pool: string; lane: string; count: number }>(sql`
    select min(id) as id, pool, lane, count(*)::int as count
    from (select id, pool, lane from tasks where tenant_id = ${tenant} and state = 'ready' limit ${mostCounted}) some_tasks
    group by pool, lane order by count desc, pool, lane limit ${mostLanes}`)
  const reasons = await explainWaiting(tx, tenant, lanes)
  const counts = new Map<string, QueueView['unserved'][number]>()
  for (const { id, pool, count } of lanes) {
    const reason = reasons.get(id)
    if (reason === undefined) continue
    const key = `${pool} ${reason}`
    counts.set(key, { pool, reason, count: (counts.get(key)?.count ?? 0) + count })
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)
}

/** Reasons with what is a name of one run or task taken off: a thousand paused runs are one reason. */
async function readReasons(tx: ReadTx, tenant: TenantId): Promise<QueueView['reasons']> {
  const rows = await tx.query<QueueView['reasons'][number]>(sql`
    select pool, regexp_replace(coalesce(reason, ''), '^(paused|paused-queue):.*$', '\\1') as reason, count(*)::int as count
    from (select pool, reason from tasks where tenant_id = ${tenant} and state = 'waiting' limit ${mostCounted}) some_tasks
    group by 1, 2 order by count desc, pool, reason limit 100`)
  return [...rows]
}
