import pg from 'pg'
import type { Random } from '../../../kernel/random.ts'
import type { Hint, HintCarrier } from '../hints.ts'
import { clientConfig, type PostgresOptions, prepareClient, type SettingsMode } from './postgres-options.ts'

export interface HintListener extends HintCarrier {
  /** The milliseconds by which the server's calendar is ahead of `localNow`, which never jumps, and the round trip. */
  measureClock(localNow: () => number): Promise<{ offset: number; roundTrip: number } | undefined>
  connect(): Promise<void>
  close(): Promise<void>
}

export interface HintListenerOptions {
  readonly mode: SettingsMode
  readonly random: Random
  /** Hands on a hint of another process. */
  readonly deliver: (hint: Hint) => void
}

/**
 * The one connection that listens. It comes back by itself; after a gap it hints every channel once, because what was
 * sent meanwhile is lost. Hints also leave through it: those of its own process are delivered locally, not by echo.
 */
export function createHintListener(
  options: PostgresOptions,
  { mode, random, deliver }: HintListenerOptions,
): HintListener {
  let client: pg.Client | undefined
  let channels: readonly string[] = []
  let listening = new Set<string>()
  let closed = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined

  async function connect(): Promise<void> {
    const fresh = new pg.Client(clientConfig(options, 'system', mode))
    fresh.on('error', () => undefined)
    fresh.on('notification', ({ channel, payload, processId }) => {
      if (processId !== (fresh as unknown as { processID: number }).processID)
        deliver({ channel, payload: payload ?? '' })
    })
    await fresh.connect()
    await prepareClient(fresh, options, 'system', mode)
    // A hint that a crash of the server swallows is no loss, and it need not wait for the disk.
    await fresh.query('set synchronous_commit = off')
    if (closed) return fresh.end()
    fresh.on('end', () => {
      if (client !== fresh) return
      client = undefined
      reconnectLater()
    })
    client = fresh
    listening = new Set()
    failures = 0
    subscribe()
  }

  function reconnectLater(): void {
    if (closed) return
    const pause = Math.min(5_000, 100 * 2 ** failures) * (0.5 + random.next())
    failures += 1
    timer = setTimeout(() => {
      connect().then(
        () => {
          for (const channel of channels) deliver({ channel, payload: '' })
        },
        () => reconnectLater(),
      )
    }, pause)
    timer.unref()
  }

  /** Brings the server's idea of our channels in line with ours. */
  function subscribe(): void {
    const wanted = new Set(channels)
    for (const channel of wanted) if (!listening.has(channel)) run({ text: `listen ${pg.escapeIdentifier(channel)}` })
    for (const channel of listening) if (!wanted.has(channel)) run({ text: `unlisten ${pg.escapeIdentifier(channel)}` })
    listening = wanted
  }

  /** A statement that fails took the connection with it or was only a hint: the reconnect repairs either. */
  function run(statement: { name?: string; text: string; values?: unknown[] }): void {
    client?.query(statement).catch(() => undefined)
  }

  return {
    connect,
    send(hints) {
      const values = [hints.map((hint) => hint.channel), hints.map((hint) => hint.payload)]
      const text = 'select pg_notify(c, p) from unnest($1::text[], $2::text[]) as hint(c, p)'
      run({ name: 'send-hints', text, values })
    },
    channelsChanged(next) {
      channels = next
      if (client) subscribe()
    },
    async measureClock(localNow) {
      if (!client) return undefined
      const sent = localNow()
      const result = await client.query<{ ms: number }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
      )
      const received = localNow()
      return { offset: result.rows[0]!.ms - (sent + received) / 2, roundTrip: received - sent }
    },
    async close() {
      closed = true
      clearTimeout(timer)
      const old = client
      client = undefined
      await old?.end()
    },
  }
}
