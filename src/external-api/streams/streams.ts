import { type IdSource, systemIds } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { formatCursor, headPosition } from '../../foundation/runtime/cursors.ts'
import { createEncodedBatches } from './encoded-batches.ts'
import type { EventFeed } from './event-feed.ts'
import { groupRoutes } from './group-routes.ts'
import { GroupsService } from './groups-service.ts'
import { tenantPermissions } from './nats/permissions.ts'
import type { RelayState } from './nats/relay.ts'
import { StreamFigures } from './stream-figures.ts'
import { streamRoutes } from './stream-routes.ts'
import type { SocketOptions } from './stream-socket.ts'
import { natsPermissions, showStream } from './streams-contract.ts'

export interface StreamsOptions {
  readonly database: Database
  /** What subscribers of this process are fed from. */
  readonly feed: EventFeed
  /** The relay to NATS, where there is one. */
  readonly relay?: () => RelayState
  readonly retention: { readonly keepMs: number; readonly resumeMs: number }
  readonly socket?: SocketOptions
  readonly ids?: IdSource
  /** Called after commits that appended events. */
  readonly onCommit?: () => void
}

/** Event streams, consumer groups and what is known of them. */
export function createStreams(options: StreamsOptions): { readonly routes: readonly Route[] } {
  const { database, feed, relay, retention, ids = systemIds } = options
  const figures = new StreamFigures()
  const groups = new GroupsService({ database, feed, ids })
  return {
    routes: [
      ...streamRoutes({
        database,
        feed,
        groups,
        figures,
        encoded: createEncodedBatches(),
        socket: options.socket ?? {},
        onCommit: options.onCommit ?? (() => {}),
      }),
      ...groupRoutes(groups),
      route({
        ...showStream,
        permission: 'events:read',
        handle: async ({ principal }) => {
          const head = await database.asSystem('streams').read(headPosition)
          const state = relay?.() ?? null
          return {
            status: state === null || state.connected ? ('healthy' as const) : ('degraded' as const),
            source: state === null ? ('database' as const) : ('nats' as const),
            cursor: formatCursor(head),
            subscribers: figures.subscribers,
            eventsDelivered: figures.eventsDelivered,
            groups: (await groups.list(principal.tenant)).length,
            relay: state,
            keepEventsMs: retention.keepMs,
            resumeMs: retention.resumeMs,
          }
        },
      }),
      route({
        ...natsPermissions,
        permission: 'events:admin',
        handle: ({ principal }) => {
          const { publish, subscribe } = tenantPermissions(principal.tenant)
          return { publish: [...publish], subscribe: [...subscribe] }
        },
      }),
    ],
  }
}
