import type { TenantId } from '../../foundation/kernel/ids.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { NamedTask } from './find-task.ts'
import { taskStates } from './states-contract.ts'

export interface CancelTaskTools {
  readonly queue: () => TaskQueue
  /** Tells runners after the commit that there are attempts to end. */
  readonly wakeRunners: (tx: Tx, runnerIds: readonly string[]) => void
}

/**
 * Cancels one task of a run; the caller has locked it and then its run. Whoever works on it is asked to end it, and ends its
 * process group: what is reported of that lease afterwards cancels the task, a success too. What nobody works on ends at
 * once, with what it waited for. Steps that need it are skipped, with the reason; `finally` steps run.
 * Errors: `illegal-transition` where it has ended: whoever came first has decided.
 */
export async function cancelTask(
  tx: Tx,
  tenant: TenantId,
  task: NamedTask,
  reason: string,
  tools: CancelTaskTools,
  now: Date,
): Promise<readonly Shard[]> {
  const to = transition(taskStates, `task ${task.id}`, task.state, 'cancel')
  if (task.state === 'leased' || task.state === 'running') {
    // The first reason stays: it is on its way to the runner already.
    const rows = await tx.query<{ runner: string }>(sql`
      update tasks set cancel_reason = coalesce(cancel_reason, ${reason})
      where tenant_id = ${tenant} and id = ${task.id} returning runner_id as runner`)
    tools.wakeRunners(
      tx,
      rows.map(({ runner }) => runner),
    )
    return []
  }
  const change = { tenant, taskId: task.id, fence: null, event: 'cancel', to, reason } as const
  return (await tools.queue().change(tx, [change], now)).shards
}
