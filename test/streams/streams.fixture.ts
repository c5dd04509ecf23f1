import { type Client, createClient } from '../../src/client/client.ts'
import { eventRoutes } from '../../src/external-api/streams/event-routes.ts'
import { createStreams, type EventFeed } from '../../src/external-api/streams/index.ts'
import type { SocketOptions } from '../../src/external-api/streams/stream-socket.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { JsonValue } from '../../src/foundation/kernel/json.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { bearerTokenOf } from '../../src/foundation/platform/http/bearer-token.ts'
import { createServer, type ServerOptions } from '../../src/foundation/platform/http/server.ts'
import { appendEvents } from '../../src/foundation/runtime/event-log.ts'
import { EventReader } from '../../src/foundation/runtime/event-reader.ts'
import { startTicker } from '../../src/foundation/runtime/ticker.ts'
import { runCreatedAt } from '../../src/orchestration/runs/runs-store.ts'

export const tenant = 'default' as TenantId
export const token = 'lvt_streams'

export interface StreamPlatform extends AsyncDisposable {
  readonly database: Database
  readonly client: Client
  readonly url: string
  readonly errors: unknown[]
}

export interface StreamPlatformOptions {
  readonly feed?: EventFeed
  readonly socket?: SocketOptions
  readonly server?: Partial<ServerOptions>
  readonly of?: TenantId
}

/** The event stream of a database behind a real port, with a ticker and a reader running. */
export async function openStreamPlatform(
  database: Database,
  options: StreamPlatformOptions = {},
): Promise<StreamPlatform> {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const reader = await EventReader.start(database, { onError })
  const ticker = startTicker(database, { onTick: () => reader.poke(), onError })
  const feed = options.feed ?? reader
  const { routes, close } = createStreams({
    database,
    feed,
    retention: { keepMs: 1, resumeMs: 1 },
    onCommit: () => ticker.poke(),
    ...(options.socket === undefined ? {} : { socket: options.socket }),
  })
  const server = createServer({
    routes: [...routes, ...eventRoutes({ database, feed, runCreatedAt })],
    authenticate: bearerTokenOf(token, { id: 'owner', tenant: options.of ?? tenant, permissions: ['*'] }),
    ...options.server,
  })
  const { url } = await server.listen()
  return {
    database,
    url,
    errors,
    client: createClient({ url, token }),
    async [Symbol.asyncDispose]() {
      await server.close({ graceMs: 200 })
      close()
      await ticker.stop()
      await reader[Symbol.asyncDispose]()
    },
  }
}

export interface Emitted {
  readonly id?: string
  readonly type?: string
  readonly run?: string
  readonly data?: JsonValue
  readonly of?: TenantId
}

/** Commits events in one transaction. */
export async function emit(database: Database, ...events: readonly Emitted[]): Promise<void> {
  await database.asSystem('test').write((tx) =>
    appendEvents(
      tx,
      events.map(({ id = 'a', type = 'thing.changed', run, data = {}, of = tenant }) => ({
        tenant: of,
        type,
        subject: { kind: type.split('.')[0]!, id, rev: 1 },
        runId: run ?? null,
        at: database.clock.now(),
        data,
      })),
    ),
  )
}

/** `n` of every event's data: numbers tell events apart. */
export const numbered = (from: number, to: number): Emitted[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ data: { n: from + i } }))

export const numberOf = (event: { readonly data: unknown }) => (event.data as { n: number }).n
