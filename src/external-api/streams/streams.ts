import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { formatCursor, headPosition } from '../../foundation/runtime/cursors.ts'
import { CursorsService } from './cursors-service.ts'
import { createEncodedBatches } from './encoded-batches.ts'
import type { EventFeed } from './event-feed.ts'
import { groupRoutes } from './group-routes.ts'
import { GroupsService } from './groups-service.ts'
import type { RelayState } from './nats/relay.ts'
import { tenantAccess } from './nats/tenant-access.ts'
import { StreamFigures } from './stream-figures.ts'
import { createStreamGate } from './stream-gate.ts'
import { streamRoutes } from './stream-routes.ts'
import type { SocketOptions } from './stream-socket.ts'
import {
  listCursors,
  natsAccess,
  removeCursor,
  type StreamStatus,
  showStream,
  startStreams,
  stopStreams,
} from './streams-contract.ts'

export interface StreamsOptions {
  readonly database: Database
  /** What subscribers of this process are fed from. */
  readonly feed: EventFeed
  /** The relay to NATS, where there is one. */
  readonly relay?: () => RelayState
  /** Makes the consumer of a tenant in NATS, where there is one. Throws `stream-relay-failed`. */
  readonly makeConsumer?: (tenant: TenantId) => Promise<void>
  readonly retention: { readonly keepMs: number; readonly resumeMs: number }
  readonly socket?: SocketOptions
  readonly ids?: IdSource
  /** Called after commits that appended events. */
  readonly onCommit?: () => void
}

export interface Streams {
  readonly routes: readonly Route[]
  close(): void
}

/** Event streams, consumer groups and what is known of them. */
export function createStreams(options: StreamsOptions): Streams {
  const { database, feed, relay, retention, ids = systemIds } = options
  const figures = new StreamFigures()
  const groups = new GroupsService({ database, feed, ids })
  const gate = createStreamGate(database)
  const onCommit = options.onCommit ?? (() => {})
  const cursors = new CursorsService({ database, keepMs: retention.keepMs, onCommit })
  const status = async (tenant: TenantId): Promise<StreamStatus> => {
    const head = await database.asSystem('streams').read(headPosition)
    const state = relay?.() ?? null
    const stopped = await gate.isStopped(tenant)
    return {
      status: stopped ? 'stopped' : state === null || state.connected ? 'healthy' : 'degraded',
      source: state === null ? 'database' : 'nats',
      cursor: formatCursor(head),
      subscribers: figures.subscribers,
      eventsDelivered: figures.eventsDelivered,
      groups: (await groups.list(tenant)).length,
      relay: state === null ? null : { ...state },
      keepEventsMs: retention.keepMs,
      resumeMs: retention.resumeMs,
    }
  }
  const set = async (tenant: TenantId, stopped: boolean) => {
    await gate.set(tenant, stopped)
    return status(tenant)
  }
  return {
    close: () => gate[Symbol.dispose](),
    routes: [
      ...streamRoutes({
        database,
        gate,
        feed,
        groups,
        figures,
        encoded: createEncodedBatches(),
        socket: options.socket ?? {},
        onCommit,
      }),
      ...groupRoutes(groups),
      route({ ...showStream, permission: 'events:read', handle: ({ principal }) => status(principal.tenant) }),
      route({ ...startStreams, permission: 'events:admin', handle: ({ principal }) => set(principal.tenant, false) }),
      route({ ...stopStreams, permission: 'events:admin', handle: ({ principal }) => set(principal.tenant, true) }),
      route({ ...listCursors, permission: 'platform:read', handle: async () => ({ items: await cursors.list() }) }),
      route({
        ...removeCursor,
        permission: 'platform:admin',
        handle: ({ principal, params, query }) => cursors.remove(principal, params.name, query.force),
      }),
      route({
        ...natsAccess,
        permission: 'events:admin',
        handle: async ({ principal: { tenant } }) => {
          await options.makeConsumer?.(tenant)
          return { ...tenantAccess(tenant), consumerMade: options.makeConsumer !== undefined }
        },
      }),
    ],
  }
}
