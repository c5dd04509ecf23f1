import { type Clock, systemClock } from '../kernel/clock.ts'
import type { Database, Tx } from '../platform/database/database.ts'
import { claimCursor, mapStoredPosition, saveCursor } from './cursors.ts'
import { type LoggedEvent, mayHaveMore, readEvents } from './event-log.ts'
import { createLoop, type Loop } from './loop.ts'
import { tickChannel } from './ticker.ts'

export interface ConsumerOptions {
  /** Names the durable cursor: one reader of this name at a time, over all processes. */
  readonly name: string
  /** Applied in the transaction that moves the cursor: each event takes effect exactly once. */
  readonly handle: (tx: Tx, events: readonly LoggedEvent[]) => Promise<void>
  /** Events a transaction, at most. Default 1,000. */
  readonly limit?: number
  /**
   * After it has worked it lets events gather for so long, ms, counted from the end of that work: under steady load it then
   * costs a bounded number of transactions. The first event after a pause, and a backlog, do not wait. Default 50.
   */
  readonly gatherMs?: number
  /** What `gatherMs` is measured with. Default: the system's. */
  readonly clock?: Pick<Clock, 'monotonic'>
  /** Time between looks when nobody ticks, ms. Default 500. */
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** A durable reader of the log. A new one begins at the present end. */
export function startConsumer(database: Database, options: ConsumerOptions): Loop & AsyncDisposable {
  const { name, handle, limit = 1_000, gatherMs = 50, clock = systemClock } = options
  const system = database.asSystem(`consumer ${name}`)
  let workedAt = Number.NEGATIVE_INFINITY

  /** Resolves to how much there was: nothing, all there is, or as much as one read takes. */
  const pass = () =>
    system.write(async (tx) => {
      const now = database.clock.now()
      const stored = await claimCursor(tx, name, now)
      if (stored === null) return 'none'
      const from = await mapStoredPosition(tx, stored)
      const events = await readEvents(tx, from, limit)
      const last = events.at(-1)
      if (last === undefined) return 'none'
      await handle(tx, events)
      await saveCursor(tx, name, { epoch: from.epoch, tick: last.tick, seq: last.seq }, now)
      return mayHaveMore(from, events, limit) ? 'full' : 'all'
    })

  const loop = createLoop({
    pollMs: options.pollMs ?? 500,
    idle: { pulse: database.pulse, pollMs: 10_000 },
    onError: options.onError,
    step: async () => {
      const left = workedAt + gatherMs - clock.monotonic()
      if (left > 0) return left
      const read = await pass()
      if (read === 'all') workedAt = clock.monotonic()
      return read === 'full'
    },
  })
  const unlisten = database.listen(tickChannel, () => loop.poke())
  const stop = () => {
    unlisten()
    return loop.stop()
  }
  return { poke: loop.poke, stop, [Symbol.asyncDispose]: stop }
}
