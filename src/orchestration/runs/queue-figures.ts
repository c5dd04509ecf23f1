import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** Counting stops here: what a look at the queue costs does not grow with the queue. */
export const mostCounted = 10_000
/** Lanes of a pool that are looked at for the oldest task. */
const mostLanes = 1_000

export interface QueueFigure {
  readonly pool: string
  readonly state: 'ready' | 'waiting' | 'leased' | 'running'
  readonly count: number
  /** There are more than were counted. */
  readonly atLeast: boolean
  /** When the oldest of them was made: of ready tasks, of those first in their lane. */
  readonly oldestAt: Date
}

/**
 * Open tasks by pool and state. Ready ones are counted along the index of each pool, the oldest is looked for at the
 * heads of its lanes; waiting ones and those at work are few, or counted as far as the limit.
 */
export async function readQueue(tx: ReadTx, tenant: TenantId): Promise<readonly QueueFigure[]> {
  const ready = await tx.query<Row>(sql`
    with recursive busy as (
      (select pool from tasks where tenant_id = ${tenant} and state = 'ready' order by pool limit 1)
      union all
      select (select t.pool from tasks t where t.tenant_id = ${tenant} and t.state = 'ready' and t.pool > busy.pool
        order by t.pool limit 1)
      from busy where busy.pool is not null)
    select busy.pool, 'ready' as state, counted.count, oldest.at as oldest_at
    from busy
    cross join lateral (
      select count(*)::int as count from (
        select from tasks t where t.tenant_id = ${tenant} and t.state = 'ready' and t.pool = busy.pool
        limit ${mostCounted + 1}) some_tasks) counted
    cross join lateral (
      with recursive heads as (
        (select t.lane, t.created_at, 1 as nth from tasks t
          where t.tenant_id = ${tenant} and t.state = 'ready' and t.pool = busy.pool order by t.lane, t.ready_seq limit 1)
        union all
        select next.lane, next.created_at, heads.nth + 1 from heads cross join lateral (
          select t.lane, t.created_at from tasks t
          where t.tenant_id = ${tenant} and t.state = 'ready' and t.pool = busy.pool and t.lane > heads.lane
          order by t.lane, t.ready_seq limit 1) next
        where heads.nth < ${mostLanes})
      select min(created_at) as at from heads) oldest
    where busy.pool is not null`)
  const others = await tx.query<Row>(sql`
    select pool, state, count(*)::int as count, min(created_at) as oldest_at,
      sum(count(*)) over (partition by state) > ${mostCounted} as "atLeast"
    from (
      (select pool, state, created_at from tasks where tenant_id = ${tenant} and state = 'waiting' limit ${mostCounted + 1})
      union all
      (select pool, state, created_at from tasks
        where tenant_id = ${tenant} and state in ('leased', 'running') limit ${mostCounted + 1})) some_tasks
    group by pool, state`)
  return [...ready, ...others]
    .map((row) => ({
      pool: row.pool,
      state: row.state,
      count: Math.min(row.count, mostCounted),
      atLeast: row.atLeast ?? row.count > mostCounted,
      oldestAt: row.oldest_at,
    }))
    .sort((a, b) => (`${a.pool} ${a.state}` < `${b.pool} ${b.state}` ? -1 : 1))
}

interface Row {
  pool: string
  state: QueueFigure['state']
  count: number
  oldest_at: Date
  atLeast?: boolean
}

/** Open runs by state, and those of the runs made since `since` that have ended; each as far as the limit. */
export async function countRuns(tx: ReadTx, tenant: TenantId, since: Date): Promise<Record<string, number>> {
  const rows = await tx.query<{ state: string; count: number }>(sql`
    select state, count(*)::int as count from (
      (select state from runs where tenant_id = ${tenant} and ended_at is null limit ${mostCounted})
      union all
      (select state from runs where tenant_id = ${tenant} and created_at > ${since} and ended_at is not null
        order by created_at desc limit ${mostCounted})) some_runs
    group by state order by state`)
  return Object.fromEntries(rows.map((row) => [row.state, row.count]))
}
