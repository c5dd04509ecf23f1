import type { Client } from '../client/client.ts'
import { isAppError } from '../foundation/kernel/errors.ts'
import { showRun, streamEvents } from '../orchestration/runs/run-endpoints-contract.ts'
import type { EventView, RunDetail } from '../orchestration/runs/runs-contract.ts'

export interface WatchOptions {
  readonly signal: AbortSignal
  /** Gets every event of the run from its first on, in order, all before the watch ends. */
  readonly onEvent?: (event: EventView) => void
  /** Shortest pause between two looks. Default 150 ms. */
  readonly pauseMs?: number
  /** Longest pause between two looks: events are a hint, looking is the truth. Default 2,000 ms. */
  readonly pollMs?: number
}

/** How long the platform may be without its database before the watch gives up. */
const patienceMs = 120_000

const ending: ReadonlySet<string> = new Set(['run.succeeded', 'run.failed', 'run.cancelled'])

/** Yields the run whenever it has changed, the last time when it has ended. */
export async function* watchRun(client: Client, id: string, options: WatchOptions): AsyncGenerator<RunDetail, void> {
  const { onEvent, pauseMs = 150, pollMs = 2_000 } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const dirty = createWake()
  const ended = Promise.withResolvers<void>()
  const over = new AbortController()
  const reading = readEvents()
  let answeredAt = performance.now()

  /** Null where the platform cannot answer just now, because its database is away: the run goes on when it is back. */
  async function look(): Promise<RunDetail | null> {
    try {
      const detail = await client.call(showRun, { params: { id }, signal })
      answeredAt = performance.now()
      return detail
    } catch (error) {
      const mayPass = isAppError(error) && error.kind === 'unavailable' && error.code !== 'server-unreachable'
      if (!mayPass || performance.now() - answeredAt > patienceMs) throw error
      await wait(Math.max(pauseMs, 500), signal)
      return null
    }
  }

  async function readEvents(): Promise<void> {
    const query = { run: id, from: onEvent === undefined ? 'now' : 'start' }
    // The first look must not come before the stream stands, or what happens between the two would be missed.
    for await (const { data } of client.events(streamEvents, { query, signal }, { onOpen: dirty.wake })) {
      onEvent?.(data)
      dirty.wake()
      if (!ending.has(data.type) || data.subject.id !== id) continue
      over.abort()
      ended.resolve()
    }
  }
  reading.catch((error) => {
    dirty.fail(error)
    ended.reject(error)
  })
  ended.promise.catch(() => {})

  try {
    for (;;) {
      options.signal.throwIfAborted()
      const started = performance.now()
      const detail = await look()
      if (detail === null) continue
      yield detail
      if (detail.run.endedAt !== null) {
        if (onEvent !== undefined) await Promise.race([ended.promise, wait(10_000, signal)])
        return
      }
      // A slow answer (a large run, a busy host) makes for longer pauses; the end is looked at without one.
      const pause = Math.min(pollMs, Math.max(pauseMs, 4 * (performance.now() - started)))
      await wait(pause, AbortSignal.any([signal, over.signal]))
      await dirty.wait(pollMs, signal)
    }
  } finally {
    stop.abort()
    await reading.catch(() => {})
  }
}

/** A flag one side raises and the other waits for. */
function createWake() {
  let raised = false
  let failure: { error: unknown } | null = null
  let release = () => {}
  return {
    wake: () => {
      raised = true
      release()
    },
    fail: (error: unknown) => {
      failure = { error }
      release()
    },
    async wait(ms: number, signal: AbortSignal): Promise<void> {
      if (!raised && failure === null) {
        const released = new AbortController()
        release = () => released.abort()
        await wait(ms, AbortSignal.any([signal, released.signal]))
      }
      if (failure !== null) throw failure.error
      raised = false
    },
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
