import type { Database, Tx } from '../platform/database/database.ts'
import { headPosition, lockCursor, saveCursor } from './cursors.ts'
import { type LoggedEvent, readEvents } from './event-log.ts'
import { createLoop, type Loop } from './loop.ts'
import { tickChannel } from './ticker.ts'

export interface ConsumerOptions {
  /** Names the durable cursor: one reader of this name at a time, over all processes. */
  readonly name: string
  /** Applied in the transaction that moves the cursor: each event takes effect exactly once. */
  readonly handle: (tx: Tx, events: readonly LoggedEvent[]) => Promise<void>
  readonly limit?: number
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** A durable reader of the log. A new one begins at the present end. */
export function startConsumer(database: Database, options: ConsumerOptions): Loop & Disposable {
  const system = database.asSystem(`consumer ${options.name}`)
  const limit = options.limit ?? 1_000
  const loop = createLoop({
    pollMs: options.pollMs ?? 500,
    onError: options.onError,
    step: () =>
      system.write(async (tx) => {
        const stored = await lockCursor(tx, options.name)
        const now = database.clock.now()
        if (stored === null) {
          await saveCursor(tx, options.name, await headPosition(tx), now)
          return false
        }
        const events = await readEvents(tx, stored, limit)
        const last = events.at(-1)
        if (last === undefined) return false
        await options.handle(tx, events)
        await saveCursor(tx, options.name, { epoch: stored.epoch, tick: last.tick, seq: last.seq }, now)
        return events.length === limit
      }),
  })
  const unlisten = database.listen(tickChannel, () => loop.poke())
  return {
    poke: loop.poke,
    stop: () => {
      unlisten()
      return loop.stop()
    },
    [Symbol.dispose]: unlisten,
  }
}
