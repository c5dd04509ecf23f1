import {
  connectNats,
  createStreams,
  type EventFeed,
  makeTenantConsumer,
  NatsFeed,
  type NatsLink,
  relayState,
  startRelay,
  streamErrors,
} from '../external-api/streams/index.ts'
import type { TenantId } from '../foundation/kernel/ids.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import type { EventReader } from '../foundation/runtime/event-reader.ts'
import { createLoop } from '../foundation/runtime/loop.ts'

export interface OpenStreamsOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  /** Feeds subscribers where NATS does not. */
  readonly reader: EventReader
  /** False for a call that only looks: it relays nothing. */
  readonly work: boolean
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

export interface OpenStreams {
  readonly feed: EventFeed
  readonly routes: readonly Route[]
  close(): Promise<void>
}

/** How often a NATS server that is away is tried again, ms. */
const reconnectMs = 5_000

/**
 * The event stream of this process: from the log, or with NATS_URL from NATS, to which one of the replicas relays the
 * log. A NATS server that is away delays nobody: until it answers, events come from the log.
 */
export async function openStreams(options: OpenStreamsOptions): Promise<OpenStreams> {
  const { loaded, database, reader, work, onCommit, onError } = options
  const { keepMs, resumeMs } = loaded.config.events
  const natsUrl = work ? loaded.secrets.natsUrl : null
  const closers: (() => Promise<unknown>)[] = []
  const state = relayState()
  let fed: EventFeed = reader
  let joined: NatsLink | null = null

  const feedFromNats = async (url: string): Promise<void> => {
    const link = await connectNats({ url, keepMs, onError })
    closers.push(() => link.close())
    joined = link
    const relay = startRelay({ database, link, state, onError })
    closers.push(() => relay.stop())
    const nats = await NatsFeed.start({ database, link, onError })
    closers.push(() => nats[Symbol.asyncDispose]())
    fed = nats
  }

  if (natsUrl !== null) {
    await feedFromNats(natsUrl.reveal()).catch((error) => {
      onError(error)
      state.connected = false
      state.error = 'no connection yet'
      const retry = createLoop({
        pollMs: reconnectMs,
        onError,
        step: async () => {
          if (fed === reader) await feedFromNats(natsUrl.reveal())
        },
      })
      closers.push(() => retry.stop())
    })
  }
  const feed: EventFeed = { open: (subscription, signal) => fed.open(subscription, signal) }
  const makeConsumer = async (tenant: TenantId) => {
    if (joined === null) throw streamErrors['stream-relay-failed']('no connection to NATS yet')
    try {
      await makeTenantConsumer(joined, tenant)
    } catch (cause) {
      throw streamErrors['stream-relay-failed']('NATS did not make the consumer', { cause })
    }
  }
  const relay = natsUrl === null ? {} : { relay: () => state, makeConsumer }
  const { routes, close } = createStreams({ database, feed, ...relay, retention: { keepMs, resumeMs }, onCommit })
  return {
    feed,
    routes,
    async close() {
      close()
      for (const closer of closers.toReversed()) await closer()
    },
  }
}
