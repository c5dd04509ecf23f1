import { isCustomType } from '../../external-api/streams/event-types-contract.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue, TaskRef } from '../coordinator/task-queue.ts'
import type { ResolvedTask, ResolvedWait } from '../workflows/task-contract.ts'
import type { StepLanguage } from './step-language.ts'

export interface EventWaitsOptions {
  readonly queue: TaskQueue
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
  readonly language: StepLanguage
  /** What these tasks are to do, by task id; the `coordinator` part provides it. */
  readonly specsOf: (tx: Tx, tasks: readonly TaskRef[]) => Promise<ReadonlyMap<string, ResolvedTask>>
}

/** The only way an event starts something: a durable reader of the log that ends the `wait` steps an event was awaited by. */
export function createEventWaits(options: EventWaitsOptions) {
  return async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const types = [...new Set(events.map((event) => event.type))]
    const waits = await tx.query<WaitRow>(sql`
      select tenant_id as tenant, task_id as "taskId", run_id as "runId", type, after_seq as after from event_waits
      where type = any (${types}::text[]) order by tenant_id, task_id for update`)
    if (waits.length === 0) return
    const specs = await options.specsOf(tx, waits)
    const changes: TaskChange[] = []
    for (const wait of waits) {
      const { tenant, taskId, runId, type, after } = wait
      const spec = specs.get(taskId) as ResolvedWait
      const base = { tenant, taskId, fence: null }
      try {
        const event = events.find(
          (event) =>
            event.tenant === tenant &&
            event.type === type &&
            event.seq > after &&
            isFor(event, runId) &&
            options.language.eventMatches(spec.for as AwaitedEvent, viewOf(event)),
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
    const { shards } = await options.queue.change(tx, changes, now)
    await options.dispatch(tx, shards, now)
  }
}

/** What somebody outside publishes for one run ends the waits of no other. */
function isFor({ type, runId }: LoggedEvent, waiting: string): boolean {
  return runId === null || runId === waiting || !isCustomType(type)
}

interface WaitRow extends TaskRef {
  readonly runId: string
  readonly type: string
  /** Older events do not count, nor those of the transaction in which the wait began. */
  readonly after: number
}

type AwaitedEvent = Extract<ResolvedWait['for'], { readonly event: string }>

/** What `match` sees: the fields of the event's data, and what every event has. */
function viewOf(event: LoggedEvent): JsonObject {
  const data = event.data ?? null
  const fields = typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as JsonObject) : {}
  return {
    ...fields,
    type: event.type,
    subject: { kind: event.subject.kind, id: event.subject.id },
    run: event.runId,
    at: event.at.toISOString(),
    data,
  }
}
