import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { TimerHandler } from '../../foundation/runtime/timers.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { Admissible, TaskQueue } from '../coordinator/task-queue.ts'
import type { RunRef } from './run-rows.ts'
import type { RunSteering } from './run-steering.ts'
import { pausedReason } from './run-tasks-store.ts'
import { lockRuns } from './runs-store.ts'

export interface RunTimersOptions {
  readonly queue: TaskQueue
  readonly steering: RunSteering
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
}

/** What happens when the timers of runs and tasks are due, by kind. */
export function createRunTimers(options: RunTimersOptions): Readonly<Record<string, TimerHandler>> {
  const { queue, steering, dispatch } = options
  const change = async (tx: Tx, changes: readonly TaskChange[], now: Date) => {
    const { shards } = await queue.change(tx, changes, now)
    await dispatch(tx, shards, now)
  }
  return {
    /** The pause after a failed attempt is over. A task of a paused run goes on waiting, for the run. */
    'task-retry': async (tx, timers, now) => {
      const tasks = await tx.query<RetryRow>(sql`
        select t.tenant_id as tenant, t.id as "taskId", t.run_id as "runId", t.pool = '' as "isCall"
        from unnest(${timers.map((t) => t.tenant)}::text[], ${timers.map((t) => t.subjectId)}::text[]) as d(tenant_id, id)
        join tasks t on t.tenant_id = d.tenant_id and t.id = d.id
        where t.state || '' = 'waiting' and t.reason = 'back-off'`)
      // Locked, so that no run is paused between this look and what follows from it.
      const paused = new Set((await lockRuns(tx, tasks)).filter((run) => run.state === 'paused').map((run) => run.id))
      const held = tasks.filter((task) => paused.has(task.runId))
      await queue.change(
        tx,
        held.map(({ tenant, taskId, runId }) => {
          return { tenant, taskId, fence: null, event: 'hold', to: 'waiting', reason: pausedReason(runId) }
        }),
        now,
      )
      const shards = await queue.admit(
        tx,
        tasks.filter((task) => !paused.has(task.runId)),
        now,
      )
      await dispatch(tx, shards, now)
    },
    'task-wait': (tx, timers, now) =>
      change(
        tx,
        timers.map((timer) => ({
          tenant: timer.tenant,
          taskId: timer.subjectId,
          fence: null,
          event: 'succeed',
          to: 'succeeded',
          output: {},
        })),
        now,
      ),
    'task-timeout': (tx, timers, now) => {
      const reason = 'it took longer than its timeout'
      const error = { code: 'timeout', message: reason }
      return change(
        tx,
        timers.map((timer) => ({
          tenant: timer.tenant,
          taskId: timer.subjectId,
          fence: null,
          event: 'time-out',
          to: 'timed-out',
          reason,
          error,
        })),
        now,
      )
    },
    'run-timeout': async (tx, timers, now) => {
      const shards: Shard[] = []
      for (const timer of timers) shards.push(...(await steering.timeOut(tx, timer.tenant, timer.subjectId, now)))
      await dispatch(tx, shards, now)
    },
  }
}

interface RetryRow extends RunRef, Admissible {}
