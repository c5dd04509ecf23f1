import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { RunRow } from './run-rows.ts'
import { openCalls, pausedReason } from './run-tasks-store.ts'
import { taskRange } from './task-ids-contract.ts'

/** The code of an attempt whose lease was taken back because its run was paused: it counts for no retry and no detector. */
export const withdrawnCode = 'paused'

export interface WithdrawTools {
  readonly queue: () => TaskQueue
  readonly wakeRunners: (tx: Tx, runnerIds: readonly string[]) => void
}

/**
 * Takes the leases of paused runs, and of the runs they wait for, back: the runners end the work and report nothing, slots
 * and holds are free, and the tasks begin anew when their run goes on. What is being cancelled ends as it is. The tasks and
 * runs are locked. Returns those of `runs` that had any.
 */
export async function withdrawLeases(
  tx: Tx,
  runs: readonly RunRow[],
  why: string,
  { queue, wakeRunners }: WithdrawTools,
  now: Date,
): Promise<{ readonly stopped: readonly RunId[]; readonly shards: readonly Shard[] }> {
  const rootOf = new Map<RunId, RunId>()
  for (const { tenant, id } of runs) {
    const tree = [id]
    for (const runId of tree) {
      rootOf.set(runId, id)
      tree.push(...(await openCalls(tx, { tenant, runId })))
    }
  }
  const leases = runs.length === 0 ? [] : await leasesOf(tx, runs[0]!.tenant, [...rootOf.keys()])
  if (leases.length === 0) return { stopped: [], shards: [] }
  const error = { code: withdrawnCode, message: why }
  const losses = leases.map(({ tenant, taskId, fence }): TaskChange => {
    return { tenant, taskId, fence, event: 'lose', to: 'ready', outcome: 'lost', reason: why, error }
  })
  const holds = leases.map(({ tenant, taskId, runId }): TaskChange => {
    return { tenant, taskId, fence: null, event: 'hold', to: 'waiting', reason: pausedReason(runId) }
  })
  const freed = await queue().change(tx, losses, now)
  await queue().change(tx, holds, now)
  wakeRunners(tx, [...new Set(leases.map((lease) => lease.runnerId))])
  return { stopped: [...new Set(leases.map((lease) => rootOf.get(lease.runId)!))], shards: freed.shards }
}

interface Lease {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: RunId
  readonly fence: number
  readonly runnerId: string
}

function leasesOf(tx: ReadTx, tenant: TenantId, runs: readonly RunId[]): Promise<readonly Lease[]> {
  const ranges = runs.map((run) => taskRange(run))
  return tx.query<Lease>(sql`
    select t.tenant_id as tenant, t.id as "taskId", t.run_id as "runId", t.fence, t.runner_id as "runnerId"
    from unnest(${ranges.map((r) => r.from)}::text[], ${ranges.map((r) => r.to)}::text[]) as w(first, past)
    join tasks t on t.tenant_id = ${tenant} and t.id >= w.first and t.id < w.past
    where t.state || '' in ('leased', 'running') and t.runner_id is not null and t.cancel_reason is null
    order by t.id`)
}
