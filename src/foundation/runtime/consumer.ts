import type { Database, Tx } from '../platform/database/database.ts'
import { claimCursor, mapStoredPosition, saveCursor } from './cursors.ts'
import { type LoggedEvent, readEvents } from './event-log.ts'
import { createLoop, type Loop } from './loop.ts'
import { tickChannel } from './ticker.ts'

export interface ConsumerOptions {
  /** Names the durable cursor: one reader of this name at a time, over all processes. */
  readonly name: string
  /** Applied in the transaction that moves the cursor: each event takes effect exactly once. */
  readonly handle: (tx: Tx, events: readonly LoggedEvent[]) => Promise<void>
  /** Events a transaction, at most. Default 1,000. */
  readonly limit?: number
  /** Time between looks when nobody ticks, ms. Default 500. */
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** A durable reader of the log. A new one begins at the present end. */
export function startConsumer(database: Database, options: ConsumerOptions): Loop & AsyncDisposable {
  const system = database.asSystem(`consumer ${options.name}`)
  const limit = options.limit ?? 1_000
  const loop = createLoop({
    pollMs: options.pollMs ?? 500,
    idle: { pulse: database.pulse, pollMs: 10_000 },
    onError: options.onError,
    step: () =>
      system.write(async (tx) => {
        const now = database.clock.now()
        const stored = await claimCursor(tx, options.name, now)
        if (stored === null) return false
        const from = await mapStoredPosition(tx, stored)
        const events = await readEvents(tx, from, limit)
        const last = events.at(-1)
        if (last === undefined) return false
        await options.handle(tx, events)
        await saveCursor(tx, options.name, { epoch: from.epoch, tick: last.tick, seq: last.seq }, now)
        return true
      }),
  })
  const unlisten = database.listen(tickChannel, () => loop.poke())
  const stop = () => {
    unlisten()
    return loop.stop()
  }
  return { poke: loop.poke, stop, [Symbol.asyncDispose]: stop }
}
