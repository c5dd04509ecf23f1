import type { Database } from '../platform/database/database.ts'
import { checkPosition, headPosition } from './cursors.ts'
import { type LoggedEvent, type LogPosition, mayHaveMore, readEvents } from './event-log.ts'
import { LogWindow, pageSize, type Subscription } from './log-window.ts'
import { createLoop, type Loop } from './loop.ts'
import { tickChannel } from './ticker.ts'

export interface EventReaderOptions {
  /** Events kept in memory for live subscribers. Default 20,000. */
  readonly keep?: number
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** The one reader of a process: it follows the log, and its window serves any number of subscribers. */
export class EventReader implements AsyncDisposable {
  readonly #database: Database
  readonly #window: LogWindow
  readonly #loop: Loop
  readonly #unlisten: () => void

  private constructor(database: Database, head: LogPosition, options: EventReaderOptions) {
    this.#database = database
    this.#window = new LogWindow(head, {
      ...(options.keep === undefined ? {} : { keep: options.keep }),
      readPage: (from, limit) =>
        database.asSystem('event-reader').read(async (tx) => {
          await checkPosition(tx, from)
          return readEvents(tx, from, limit)
        }),
    })
    this.#loop = createLoop({
      pollMs: options.pollMs ?? 250,
      idle: { pulse: database.pulse, pollMs: 10_000 },
      onError: options.onError,
      step: () => this.#advance(),
    })
    this.#unlisten = database.listen(tickChannel, () => this.#loop.poke())
  }

  static async start(database: Database, options: EventReaderOptions): Promise<EventReader> {
    const head = await database.asSystem('event-reader').read(headPosition)
    return new EventReader(database, head, options)
  }

  get head(): LogPosition {
    return this.#window.head
  }

  /** Looks for new ticks soon. */
  poke(): void {
    this.#loop.poke()
  }

  /** Like `follow`, but a `from` that cannot be read is refused here, before the first batch is asked for. */
  async open(subscription: Subscription, signal: AbortSignal): Promise<AsyncGenerator<readonly LoggedEvent[]>> {
    const from = subscription.from ?? this.#window.head
    await this.#database.asSystem('event-reader').read((tx) => checkPosition(tx, from))
    return this.#window.follow({ ...subscription, from }, signal)
  }

  /**
   * Events in batches, in order, without end; stops when `signal` aborts or the reader is closed. Throws `cursor-reset`
   * when `from` is gone, and also later, when the log itself was replaced (a new epoch) or cut off before this place.
   */
  async *follow(subscription: Subscription, signal: AbortSignal): AsyncGenerator<readonly LoggedEvent[]> {
    yield* await this.open(subscription, signal)
  }

  async #advance(): Promise<boolean> {
    const window = this.#window
    const from = window.head
    const [head, batch] = await this.#database
      .asSystem('event-reader')
      .read((tx) => Promise.all([headPosition(tx), readEvents(tx, from, pageSize)]))
    // The log was replaced: what is kept belongs to a history that is over.
    const replaced = head.epoch !== from.epoch
    if (replaced) window.skipTo(head)
    else if (batch.length > 0) window.extend(batch)
    else return false
    window.tell()
    // Of a tick that is cut meanwhile a poke tells.
    return replaced || mayHaveMore(from, batch, pageSize)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten()
    this.#window[Symbol.dispose]()
    await this.#loop.stop()
  }
}
