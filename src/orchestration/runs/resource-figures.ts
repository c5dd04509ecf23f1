import type { Dimension } from '../../foundation/balancing/dimensions-contract.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface HeldLanes {
  readonly agentId: string
  readonly runnerId: string
  readonly lane: string
  readonly count: number
}

/** How many leases of each lane the agents of a tenant have. */
export async function readHeldLanes(tx: ReadTx, tenant: TenantId): Promise<readonly HeldLanes[]> {
  return tx.query<HeldLanes>(sql`
    select agent_id as "agentId", runner_id as "runnerId", lane, count(*)::int as count
    from tasks where tenant_id = ${tenant} and state in ('leased', 'running') and runner_id is not null
    group by agent_id, runner_id, lane`)
}

/** Runs looked at, the newest first. */
const mostRuns = 2_000
/** Attempts looked at of each of them. */
const mostAttempts = 2_000
/** The clock by which processor time is counted is coarse: over a shorter time it says nothing of cores. */
const leastSeconds = 0.1

interface UsageRow {
  readonly workflow: string
  readonly step: string
  readonly attempts: number
  readonly hours: number
  readonly sampleTask: string
  readonly cpu95: number | null
  readonly cpuMost: number | null
  readonly memory95: number | null
  readonly memoryMost: number | null
  readonly disk95: number | null
  readonly diskMost: number | null
  readonly network95: number | null
  readonly networkMost: number | null
}

/**
 * What the attempts of each step used in the runs begun since then: of cores, bytes of memory, bytes of disk and bytes a second
 * of network the 95th percentile and the most. Of each run the attempts are one range of keys. `sampleTask` is a task of the newest run.
 */
export async function readUsageOfSteps(
  tx: ReadTx,
  tenant: TenantId,
  { since, workflow }: { readonly since: Date; readonly workflow: string | null },
) {
  const rows = await tx.query<UsageRow>(sql`
    with recent as materialized (
      select id, workflow, created_at from runs
      where tenant_id = ${tenant} and created_at >= ${since} and (${workflow}::text is null or workflow = ${workflow})
      order by created_at desc limit ${mostRuns}),
    used as (
      select r.workflow, r.created_at, t.step, t.id, a.wall, a.cpu / greatest(a.wall, ${leastSeconds}) as cores, a.rss, a.disk,
        a.network / greatest(a.wall, ${leastSeconds}) as network
      from recent r
      cross join lateral (
        select task_id, (usage->>'wallSeconds')::float8 as wall, (usage->>'cpuSeconds')::float8 as cpu,
          (usage->>'maxRssBytes')::float8 as rss, (usage->>'diskBytes')::float8 as disk,
          (usage->>'networkBytes')::float8 as network
        from attempts
        where tenant_id = ${tenant} and usage is not null
          and task_id >= 'task_' || substr(r.id, 5) || '.' and task_id < 'task_' || substr(r.id, 5) || '/'
        limit ${mostAttempts}) a
      join tasks t on t.tenant_id = ${tenant} and t.id = a.task_id
      where a.wall > 0)
    select workflow, step, count(*)::int as attempts, sum(wall) / 3600 as hours,
      (array_agg(id order by created_at desc))[1] as "sampleTask",
      percentile_disc(0.95) within group (order by cores) as "cpu95", max(cores) as "cpuMost",
      percentile_disc(0.95) within group (order by rss) as "memory95", max(rss) as "memoryMost",
      percentile_disc(0.95) within group (order by disk) as "disk95", max(disk) as "diskMost",
      percentile_disc(0.95) within group (order by network) as "network95", max(network) as "networkMost"
    from used group by workflow, step order by workflow, step limit 1000`)
  return rows.map(({ workflow, step, attempts, hours, sampleTask, ...row }) => ({
    ...{ workflow, step, attempts, hours, sampleTask },
    p95: {
      ...{ ...known('cpu', row.cpu95), ...known('memory', row.memory95) },
      ...{ ...known('disk', row.disk95), ...known('network', row.network95) },
    },
    most: {
      ...{ ...known('cpu', row.cpuMost), ...known('memory', row.memoryMost) },
      ...{ ...known('disk', row.diskMost), ...known('network', row.networkMost) },
    },
  }))
}

function known(name: Dimension, value: number | null): { [name in Dimension]?: number } {
  return value === null ? {} : { [name]: value }
}
