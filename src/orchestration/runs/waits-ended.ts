import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { cancelTimers } from '../../foundation/runtime/timers.ts'
import type { ChangedTask } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { RunSteering } from './run-steering.ts'
import { openCallsOf } from './run-tasks-store.ts'

export interface WaitsEndedOptions {
  readonly steering: RunSteering
  /** Closes questions whose task has ended without an answer; the `approvals` part provides it. */
  readonly closeApprovals: (tx: Tx, tasks: readonly ChangedTask[], now: Date) => Promise<void>
}

/** Drops what tasks waited for that ended while they waited: timers, waits for events, questions, runs. */
export function createWaitsEnded({ steering, closeApprovals }: WaitsEndedOptions) {
  return async (tx: Tx, tasks: readonly ChangedTask[], now: Date): Promise<readonly Shard[]> => {
    await cancelTimers(
      tx,
      tasks.flatMap(({ tenant, taskId }) =>
        ['retry', 'wait', 'timeout', 'approval'].map((kind) => ({ tenant, id: `${kind}:${taskId}` })),
      ),
    )
    await tx.execute(sql`
      delete from event_waits w using unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[]) as e(tenant_id, id)
      where w.tenant_id = e.tenant_id and w.task_id = e.id`)
    await closeApprovals(tx, tasks, now)
    const shards: Shard[] = []
    for (const [tenant, own] of Map.groupBy(tasks, (task) => task.tenant)) {
      const calls = await openCallsOf(
        tx,
        tenant,
        own.map((task) => task.taskId),
      )
      const refs = calls.map((runId) => ({ tenant, runId }))
      if (refs.length > 0)
        shards.push(...(await steering.cancelOpen(tx, refs, 'its caller no longer waits for it', now)))
    }
    return shards
  }
}
