import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import {
  formatCursor,
  headPosition,
  mapClientPosition,
  parseCursor,
  tailPosition,
} from '../../foundation/runtime/cursors.ts'
import { type LoggedEvent, type LogPosition, readEventsOfRun } from '../../foundation/runtime/event-log.ts'
import { runEvents, streamEvents } from '../../orchestration/runs/run-endpoints-contract.ts'
import type { EventView } from '../../orchestration/runs/runs-contract.ts'
import type { EventFeed } from './event-feed.ts'
import { eventFilter } from './event-filter.ts'

export interface EventRoutesOptions {
  readonly database: Database
  readonly feed: EventFeed
  /** When a run began to be; the `runs` part provides it. Throws `run-not-found`. */
  readonly runCreatedAt: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<Date>
}

/** The event log to clients: as a stream that can be resumed, and as pages for one run. */
export function eventRoutes({ database, feed, runCreatedAt }: EventRoutesOptions): Route[] {
  const startOf = async (from: string | undefined): Promise<LogPosition> => {
    if (from === undefined || from === 'now') return database.asSystem('streams').read(headPosition)
    if (from === 'start') return database.asSystem('streams').read(tailPosition)
    return database.asSystem('streams').read((tx) => mapClientPosition(tx, parseCursor(from)))
  }
  return [
    route({
      ...streamEvents,
      permission: 'events:read',
      handle: async ({ query, principal, signal, lastEventId }) => {
        const from = await startOf(lastEventId ?? query.from)
        const matches = eventFilter({ tenant: principal.tenant, run: query.run, types: query.types })
        const batches = await feed.open({ from, matches }, signal)
        return (async function* () {
          for await (const batch of batches) {
            for (const event of batch) {
              const view = toEventView(event, from.epoch)
              yield { id: view.cursor, event: view.type, data: view }
            }
          }
        })()
      },
    }),
    route({
      ...runEvents,
      permission: 'runs:read',
      handle: async ({ params, query, principal }) => {
        const { tenant } = principal
        const after = Number(query.after ?? 0)
        const rows = await database.forTenant(tenant).read(async (tx) => {
          const since = await runCreatedAt(tx, tenant, params.id)
          return readEventsOfRun(tx, {
            tenant,
            runId: params.id,
            since,
            after: Number.isSafeInteger(after) ? after : 0,
            limit: query.limit + 1,
          })
        })
        const items = rows.slice(0, query.limit)
        return {
          items: items.map((event) => toEventView(event, 0)),
          next: rows.length > query.limit ? String(items.at(-1)!.seq) : null,
        }
      },
    }),
  ]
}

function toEventView(event: LoggedEvent, epoch: number): EventView {
  return {
    cursor: formatCursor({ epoch, tick: event.tick, seq: event.seq }),
    seq: event.seq,
    type: event.type,
    subject: { ...event.subject },
    runId: event.runId,
    at: event.at.toISOString(),
    data: (event.data ?? null) as EventView['data'],
  }
}
