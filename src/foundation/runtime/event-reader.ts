import type { Database } from '../platform/database/database.ts'
import { checkPosition, headPosition } from './cursors.ts'
import { endOfTick, type LoggedEvent, type LogPosition, readEvents } from './event-log.ts'
import { createLoop, type Loop } from './loop.ts'
import { tickChannel } from './ticker.ts'

export interface EventReaderOptions {
  /** Events kept in memory for live subscribers. Default 20,000. */
  readonly keep?: number
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

export interface Subscription {
  /** Where to begin; absent: at the present end of the log. */
  readonly from?: LogPosition
  readonly matches?: (event: LoggedEvent) => boolean
}

const page = 2_000

/**
 * The one reader of a process: it follows the log and keeps the latest events, from which any number of subscribers
 * are served. A subscriber that falls behind what is kept reads pages of the log itself; it is slowed, never skipped.
 */
export class EventReader implements AsyncDisposable {
  readonly #database: Database
  readonly #keep: number
  readonly #loop: Loop
  readonly #unlisten: () => void
  #kept: LoggedEvent[] = []
  #head: LogPosition
  /** Everything after this place is in `#kept`. */
  #floor: LogPosition
  #waiters = new Set<() => void>()

  private constructor(database: Database, head: LogPosition, options: EventReaderOptions) {
    this.#database = database
    this.#head = head
    this.#floor = head
    this.#keep = options.keep ?? 20_000
    this.#loop = createLoop({
      pollMs: options.pollMs ?? 250,
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
    return this.#head
  }

  /** Looks for new ticks soon. */
  poke(): void {
    this.#loop.poke()
  }

  /**
   * Events in batches, in order, without end; stops when `signal` aborts. The promise settles before the first event:
   * it throws `cursor-reset` when `from` can no longer be read.
   */
  async open(subscription: Subscription, signal: AbortSignal): Promise<AsyncIterable<readonly LoggedEvent[]>> {
    const { from } = subscription
    if (from !== undefined) await this.#database.asSystem('event-reader').read((tx) => checkPosition(tx, from))
    return this.#follow(from ?? this.#head, subscription, signal)
  }

  async *#follow(
    from: LogPosition,
    subscription: Subscription,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LoggedEvent[]> {
    let position = from
    while (!signal.aborted) {
      const batch = this.#isKept(position) ? this.#after(position) : await this.#readPage(position)
      const last = batch.at(-1)
      if (last === undefined) {
        if (this.#isKept(position)) await this.#nextChange(signal, position)
        else this.#loop.poke()
        continue
      }
      position = { epoch: position.epoch, tick: last.tick, seq: last.seq }
      const wanted = subscription.matches === undefined ? batch : batch.filter(subscription.matches)
      if (wanted.length > 0) yield wanted
    }
  }

  async #advance(): Promise<boolean> {
    const batch = await this.#readPage(this.#head)
    const last = batch.at(-1)
    if (last === undefined) return false
    this.#head = { epoch: this.#head.epoch, tick: last.tick, seq: last.seq }
    this.#kept.push(...batch)
    if (this.#kept.length > this.#keep * 2) {
      const dropped = this.#kept[this.#kept.length - this.#keep - 1]!
      this.#floor = { epoch: this.#floor.epoch, tick: dropped.tick, seq: dropped.seq }
      this.#kept = this.#kept.slice(-this.#keep)
    }
    for (const wake of [...this.#waiters]) wake()
    return batch.length === page
  }

  #readPage(from: LogPosition): Promise<LoggedEvent[]> {
    return this.#database.asSystem('event-reader').read((tx) => readEvents(tx, from, page))
  }

  #isKept(position: LogPosition): boolean {
    return position.epoch === this.#floor.epoch && compare(position, this.#floor) >= 0
  }

  #after(position: LogPosition): readonly LoggedEvent[] {
    let low = 0
    let high = this.#kept.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#kept[middle]!, position) <= 0) low = middle + 1
      else high = middle
    }
    return this.#kept.slice(low, low + page)
  }

  #nextChange(signal: AbortSignal, position: LogPosition): Promise<void> {
    if (this.#after(position).length > 0 || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        this.#waiters.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiters.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten()
    await this.#loop.stop()
  }
}

function compare(a: { tick: number; seq: number }, b: { tick: number; seq: number }): number {
  return a.tick - b.tick || (a.seq === b.seq ? 0 : (a.seq === endOfTick ? Infinity : a.seq) - b.seq)
}
