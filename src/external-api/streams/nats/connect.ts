import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import { streamErrors } from '../streams-errors.ts'
import { allSubjects, streamName } from './subjects.ts'

export interface NatsLink {
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  /** Empty headers of a message. */
  readonly headers: () => MsgHdrs
  readonly connected: () => boolean
  close(): Promise<void>
}

export interface NatsOptions {
  /** `nats://user:password@host:port`, or `tls://`; several with commas. */
  readonly url: string
  /** How long events stay in the stream, ms. */
  readonly keepMs: number
  readonly onError: (error: unknown) => void
}

const nanos = 1_000_000
/** Repeats of a message id within this time are dropped by the server, beside what the relay itself excludes. */
const duplicateWindowMs = 120_000

/** Connects and makes the stream if it is missing. The connection mends itself for ever. Throws `stream-relay-failed`. */
export async function connectNats({ url, keepMs, onError }: NatsOptions): Promise<NatsLink> {
  const servers = url.split(',').map((part) => part.trim())
  const { user, pass } = credentialsIn(servers[0]!)
  try {
    // Loaded only where NATS is used.
    const [{ connect, headers }, { jetstream, jetstreamManager }] = await Promise.all([
      import('@nats-io/transport-node'),
      import('@nats-io/jetstream'),
    ])
    const connection = await connect({
      servers: servers.map(withoutCredentials),
      ...(user === null ? {} : { user, pass: pass ?? '' }),
      name: 'leanvibe',
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      timeout: 5_000,
      pingInterval: 5_000,
      maxPingOut: 2,
    })
    let connected = true
    void (async () => {
      for await (const { type } of connection.status()) {
        if (type === 'disconnect' || type === 'staleConnection') connected = false
        if (type === 'reconnect') connected = true
      }
    })().catch(onError)
    try {
      const manager = await jetstreamManager(connection, { timeout: 5_000 })
      await ensureStream(manager, keepMs)
      return {
        connection,
        client: jetstream(connection, { timeout: 5_000 }),
        manager,
        headers: () => headers(),
        connected: () => connected && !connection.isClosed(),
        close: () => connection.close(),
      }
    } catch (error) {
      await connection.close()
      throw error
    }
  } catch (cause) {
    throw streamErrors['stream-relay-failed']('no connection to NATS with JetStream', { cause })
  }
}

async function ensureStream(manager: JetStreamManager, keepMs: number): Promise<void> {
  const config = {
    subjects: [allSubjects],
    max_age: keepMs * nanos,
    duplicate_window: Math.min(duplicateWindowMs, keepMs) * nanos,
  }
  try {
    await manager.streams.info(streamName)
    await manager.streams.update(streamName, config)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 10_059) throw error
    await manager.streams.add({ name: streamName, storage: 'file', ...config })
  }
}

function credentialsIn(server: string): { user: string | null; pass: string | null } {
  if (!server.includes('://') || !URL.canParse(server)) return { user: null, pass: null }
  const { username, password } = new URL(server)
  if (username === '') return { user: null, pass: null }
  return { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
}

function withoutCredentials(server: string): string {
  return server.replace(/^([a-z]+:\/\/)[^@/]*@/, '$1')
}
