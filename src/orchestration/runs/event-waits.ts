import { isAppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { StepLanguage } from './step-language.ts'

export interface EventWaitsOptions {
  readonly queue: TaskQueue
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
  readonly language: StepLanguage
}

/** The only way an event starts something: a durable reader of the log that ends the `wait` steps an event was awaited by. */
export function createEventWaits(options: EventWaitsOptions) {
  return async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const types = [...new Set(events.map((event) => event.type))]
    const waits = await tx.query<WaitRow>(sql`
      select w.tenant_id, w.task_id, w.type, t.spec->'for' as wait, w.created_at
      from event_waits w join tasks t on t.tenant_id = w.tenant_id and t.id = w.task_id
      where w.type = any (${types}::text[]) order by w.tenant_id, w.task_id for update of w`)
    if (waits.length === 0) return
    const changes: TaskChange[] = []
    for (const wait of waits) {
      const base = { tenant: wait.tenant_id, taskId: wait.task_id, fence: null }
      try {
        const event = events.find(
          (event) =>
            event.tenant === wait.tenant_id &&
            event.type === wait.type &&
            event.at >= wait.created_at &&
            options.language.eventMatches(wait.wait, viewOf(event)),
        )
        if (event !== undefined)
          changes.push({ ...base, event: 'succeed', to: 'succeeded', output: { event: viewOf(event) } })
      } catch (error) {
        if (!isAppError(error)) throw error
        changes.push({
          ...base,
          event: 'fail',
          to: 'failed',
          reason: error.message,
          error: { code: error.code, message: error.message },
        })
      }
    }
    await tx.execute(sql`
      delete from event_waits w using unnest(${changes.map((c) => c.tenant)}::text[], ${changes.map((c) => c.taskId)}::text[]) as d(tenant_id, id)
      where w.tenant_id = d.tenant_id and w.task_id = d.id`)
    const { shards } = await options.queue.change(tx, changes, now)
    await options.dispatch(tx, shards, now)
  }
}

interface WaitRow {
  tenant_id: TenantId
  task_id: string
  type: string
  wait: { match: string | null; context: JsonObject }
  created_at: Date
}

function viewOf(event: LoggedEvent): JsonObject {
  return {
    type: event.type,
    subject: { kind: event.subject.kind, id: event.subject.id },
    run: event.runId,
    at: event.at.toISOString(),
    data: event.data ?? null,
  }
}
