import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { EncodedEvents } from '../../foundation/platform/http/event-stream.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { formatCursor } from '../../foundation/runtime/cursors.ts'
import { type LoggedEvent, readEventsOfRun } from '../../foundation/runtime/event-log.ts'
import { runEvents, streamEvents } from '../../orchestration/runs/run-endpoints-contract.ts'
import type { EventView } from '../../orchestration/runs/runs-contract.ts'
import { createEncodedBatches } from './encoded-batches.ts'
import type { EventFeed } from './event-feed.ts'
import { startOf } from './start-position.ts'
import { filterKey, streamFilter } from './stream-filter.ts'

export interface EventRoutesOptions {
  readonly database: Database
  readonly feed: EventFeed
  /** When a run began to be; the `runs` part provides it. Throws `run-not-found`. */
  readonly runCreatedAt: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<Date>
}

/** The event log to clients: as a stream that can be resumed, and as pages for one run. */
export function eventRoutes({ database, feed, runCreatedAt }: EventRoutesOptions): Route[] {
  const encoded = createEncodedBatches(toEventView)
  return [
    route({
      ...streamEvents,
      permission: 'events:read',
      handle: async ({ query, principal, signal, lastEventId }) => {
        const { from: asked, ...filter } = query
        const from = await startOf(database, lastEventId ?? asked ?? 'now')
        const key = filterKey(principal.tenant, filter)
        const batches = await feed.open({ from, matches: streamFilter(principal.tenant, filter) }, signal)
        return (async function* () {
          for await (const batch of batches) yield new EncodedEvents(encoded.sse(key, batch, from.epoch))
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
        const { types, agent, subject } = query
        const page = rows.slice(0, query.limit)
        return {
          items: page.filter(streamFilter(tenant, { types, agent, subject })).map((event) => toEventView(event, 0)),
          next: rows.length > query.limit ? String(page.at(-1)!.seq) : null,
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
