import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { type QueueView, showQueue } from './queue-contract.ts'
import { mostCounted, readQueue } from './queue-figures.ts'

export function queueRoutes(database: Database): Route[] {
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
        })),
    }),
  ]
}

/** Reasons with what is a name of one run or task taken off: a thousand paused runs are one reason. */
async function readReasons(tx: ReadTx, tenant: TenantId): Promise<QueueView['reasons']> {
  const rows = await tx.query<QueueView['reasons'][number]>(sql`
    select pool, regexp_replace(coalesce(reason, ''), '^(paused|paused-queue):.*$', '\\1') as reason, count(*)::int as count
    from (select pool, reason from tasks where tenant_id = ${tenant} and state = 'waiting' limit ${mostCounted}) some_tasks
    group by 1, 2 order by count desc, pool, reason limit 100`)
  return [...rows]
}
