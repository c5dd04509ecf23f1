import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { headPosition } from '../../foundation/runtime/cursors.ts'
import type { LoggedEvent, LogPosition } from '../../foundation/runtime/event-log.ts'
import type { EventFeed } from '../streams/event-feed.ts'

/** Something that happened within a task, in words. */
export interface TaskNote {
  readonly id: string
  readonly text: string
  readonly at: Date
}

export interface TaskFollower {
  /** The present end of the log: what happens from now on is seen by whoever follows from here. */
  here(): Promise<LogPosition>
  /** One item for each time that something has changed; ends when `signal` aborts. */
  follow(
    tenant: TenantId,
    runId: string,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncGenerator<readonly TaskNote[], void, undefined>
}

/** Kinds of subjects whose events change what a task looks like. */
const watched = new Set(['run', 'step', 'approval', 'question'])
const told: Readonly<Record<string, string>> = {
  'step.running': 'has begun',
  'step.succeeded': 'has succeeded',
  'step.failed': 'has failed',
}

export function createTaskFollower(database: Database, feed: EventFeed): TaskFollower {
  return {
    here: () => database.asSystem('streams').read(headPosition),
    async *follow(tenant, runId, from, signal) {
      const matches = (event: LoggedEvent) =>
        event.tenant === tenant && event.runId === runId && watched.has(event.subject.kind)
      for await (const batch of await feed.open({ from, matches }, signal)) {
        yield batch.flatMap((event) => {
          const what = told[event.type]
          if (what === undefined) return []
          const step = event.subject.id.split('/').at(-1) ?? event.subject.id
          return [{ id: `${event.subject.id}.${event.subject.rev}`, text: `${step} ${what}`, at: event.at }]
        })
      }
    },
  }
}
