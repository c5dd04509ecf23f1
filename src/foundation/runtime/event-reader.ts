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
  readonly #closing = new AbortController()
  /** The end of `#kept`. Its epoch is the one all kept events belong to. */
  #head: LogPosition
  /** Everything after this place is in `#kept`. */
  #floor: LogPosition
  #kept: LoggedEvent[] = []
  /** Grows whenever `#kept` or the epoch changes. */
  #version = 0
  #waiters = new Set<() => void>()

  private constructor(database: Database, head: LogPosition, options: EventReaderOptions) {
    this.#database = database
    this.#head = head
    this.#floor = head
    this.#keep = options.keep ?? 20_000
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
    return this.#head
  }

  /** Looks for new ticks soon. */
  poke(): void {
    this.#loop.poke()
  }

  /** Like `follow`, but a `from` that cannot be read is refused here, before the first batch is asked for. */
  async open(subscription: Subscription, signal: AbortSignal): Promise<AsyncGenerator<readonly LoggedEvent[]>> {
    const from = subscription.from ?? this.#head
    await this.#database.asSystem('event-reader').read((tx) => checkPosition(tx, from))
    return this.#batches({ ...subscription, from }, signal)
  }

  /**
   * Events in batches, in order, without end; stops when `signal` aborts or the reader is closed. Throws `cursor-reset`
   * when `from` is gone, and also later, when the log itself was replaced (a new epoch) or cut off before this place.
   */
  async *follow(subscription: Subscription, signal: AbortSignal): AsyncGenerator<readonly LoggedEvent[]> {
    yield* await this.open(subscription, signal)
  }

  async *#batches(
    subscription: Subscription & { readonly from: LogPosition },
    signal: AbortSignal,
  ): AsyncGenerator<readonly LoggedEvent[]> {
    let position = subscription.from
    while (!signal.aborted && !this.#closing.signal.aborted) {
      const version = this.#version
      const batch = this.#isKept(position) ? this.#after(position) : await this.#readPage(position)
      const last = batch.at(-1)
      if (last === undefined) {
        await this.#nextChange(signal, version)
        continue
      }
      position = { epoch: position.epoch, tick: last.tick, seq: last.seq }
      const wanted = subscription.matches === undefined ? batch : batch.filter(subscription.matches)
      if (wanted.length > 0) yield wanted
    }
  }

  async #advance(): Promise<boolean> {
    const { head, batch } = await this.#database.asSystem('event-reader').read(async (tx) => {
      const head = await headPosition(tx)
      return { head, batch: head.epoch === this.#head.epoch ? await readEvents(tx, this.#head, page) : [] }
    })
    const last = batch.at(-1)
    if (head.epoch !== this.#head.epoch) this.#restart(head)
    else if (last !== undefined) this.#extend(batch, last)
    else return false
    this.#version += 1
    for (const wake of [...this.#waiters]) wake()
    return true
  }

  /** The log was replaced: what is kept belongs to a history that is over. */
  #restart(head: LogPosition): void {
    this.#kept = []
    this.#head = head
    this.#floor = head
  }

  #extend(batch: readonly LoggedEvent[], last: LoggedEvent): void {
    const { epoch } = this.#head
    this.#head = { epoch, tick: last.tick, seq: last.seq }
    this.#kept.push(...batch)
    if (this.#kept.length <= this.#keep * 2) return
    const dropped = this.#kept[this.#kept.length - this.#keep - 1]!
    this.#floor = { epoch, tick: dropped.tick, seq: dropped.seq }
    this.#kept = this.#kept.slice(-this.#keep)
  }

  #readPage(from: LogPosition): Promise<LoggedEvent[]> {
    return this.#database.asSystem('event-reader').read(async (tx) => {
      await checkPosition(tx, from)
      return readEvents(tx, from, page)
    })
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

  /** Resolves once anything changed after `version` was read; at once if it has by now. */
  #nextChange(signal: AbortSignal, version: number): Promise<void> {
    const closing = this.#closing.signal
    if (this.#version !== version || signal.aborted || closing.aborted) return Promise.resolve()
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
    this.#closing.abort()
    for (const wake of [...this.#waiters]) wake()
    await this.#loop.stop()
  }
}

function compare(a: { tick: number; seq: number }, b: { tick: number; seq: number }): number {
  return a.tick - b.tick || (a.seq === b.seq ? 0 : (a.seq === endOfTick ? Infinity : a.seq) - b.seq)
}
