import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { TimerHandler } from '../../foundation/runtime/timers.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { RunsService } from './runs-service.ts'

export interface RunTimersOptions {
  readonly queue: TaskQueue
  readonly runs: RunsService
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
}

/** What happens when the timers of runs and tasks are due, by kind. */
export function createRunTimers(options: RunTimersOptions): Readonly<Record<string, TimerHandler>> {
  const { queue, runs, dispatch } = options
  const change = async (tx: Tx, changes: readonly TaskChange[], now: Date) => {
    const { shards } = await queue.change(tx, changes, now)
    await dispatch(tx, shards, now)
  }
  return {
    /** The pause after a failed attempt is over. A task of a paused run goes on waiting, for the run. */
    'task-retry': async (tx, timers, now) => {
      const rows = await tx.query<{
        tenant_id: (typeof timers)[number]['tenant']
        id: string
        run_id: string
        paused: boolean
      }>(sql`
        select t.tenant_id, t.id, t.run_id, r.state = 'paused' as paused
        from unnest(${timers.map((t) => t.tenant)}::text[], ${timers.map((t) => t.subjectId)}::text[]) as d(tenant_id, id)
        join tasks t on t.tenant_id = d.tenant_id and t.id = d.id join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id
        where t.state = 'waiting' and t.reason = 'back-off'`)
      const changes = rows.map((row): TaskChange => {
        const base = { tenant: row.tenant_id, taskId: row.id, fence: null }
        if (row.paused) return { ...base, event: 'hold', to: 'waiting', reason: `paused:${row.run_id}` }
        return { ...base, event: 'admit', to: 'ready' }
      })
      await change(tx, changes, now)
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
      for (const timer of timers) await runs.timeOut(tx, timer.tenant, timer.subjectId, now)
    },
  }
}
