import type { LoggedEvent, LogPosition } from './event-log.ts'

export interface Subscription {
  /** Where to begin; absent: at the present end of the log. */
  readonly from?: LogPosition
  readonly matches?: (event: LoggedEvent) => boolean
}

export interface LogWindowOptions {
  /** Events kept in memory for live subscribers. Default 20,000. */
  readonly keep?: number
  /** Reads events of the log itself, after a place, at most `limit`. Throws `cursor-reset` where the place is gone. */
  readonly readPage: (from: LogPosition, limit: number) => Promise<readonly LoggedEvent[]>
}

/** Events a batch, at most. */
export const pageSize = 2_000

/**
 * The latest events of the log in the memory of a process, from which any number of subscribers are served. One that falls
 * behind what is kept reads pages of the log itself; it is slowed, never skipped. Whoever owns the window fills it.
 */
export class LogWindow implements Disposable {
  readonly #options: LogWindowOptions
  readonly #keep: number
  readonly #closing = new AbortController()
  /** The end of `#kept`. Its epoch is the one all kept events belong to. */
  #head: LogPosition
  /** Everything after this place, up to the head, is in `#kept`. */
  #floor: LogPosition
  #kept: LoggedEvent[] = []
  /** Grows whenever followers were told. */
  #version = 0
  #waiters = new Set<() => void>()

  constructor(head: LogPosition, options: LogWindowOptions) {
    this.#options = options
    this.#head = head
    this.#floor = head
    this.#keep = options.keep ?? 20_000
  }

  get head(): LogPosition {
    return this.#head
  }

  /** How many events are kept. */
  get size(): number {
    return this.#kept.length
  }

  /** Adds what follows the head directly, of its epoch. */
  extend(events: readonly LoggedEvent[]): void {
    const last = events.at(-1)
    if (last === undefined) return
    const { epoch } = this.#head
    this.#head = { epoch, tick: last.tick, seq: last.seq }
    this.#kept.push(...events)
    if (this.#kept.length <= this.#keep * 2) return
    const dropped = this.#kept[this.#kept.length - this.#keep - 1]!
    this.#floor = { epoch, tick: dropped.tick, seq: dropped.seq }
    this.#kept = this.#kept.slice(-this.#keep)
  }

  /** Forgets what is kept and goes on behind another place, perhaps of another epoch: what lies between is in the log alone. */
  skipTo(position: LogPosition): void {
    this.#kept = []
    this.#head = position
    this.#floor = position
  }

  /** Lets followers look at what has changed. */
  tell(): void {
    this.#version += 1
    for (const wake of [...this.#waiters]) wake()
  }

  /** Events in batches, in order, without end; stops when `signal` aborts or the window is closed. Throws what `readPage` throws. */
  async *follow(
    { from, matches }: Subscription & { readonly from: LogPosition },
    signal: AbortSignal,
  ): AsyncGenerator<readonly LoggedEvent[]> {
    let position = from
    while (!signal.aborted && !this.#closing.signal.aborted) {
      const version = this.#version
      const batch = this.#isKept(position) ? this.#after(position) : await this.#options.readPage(position, pageSize)
      const last = batch.at(-1)
      if (last === undefined) {
        await this.#nextChange(signal, version)
        continue
      }
      position = { epoch: position.epoch, tick: last.tick, seq: last.seq }
      const wanted = matches === undefined ? batch : batch.filter(matches)
      if (wanted.length > 0) yield wanted
    }
  }

  /** Ends all followers. */
  [Symbol.dispose](): void {
    this.#closing.abort()
    this.tell()
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
    return this.#kept.slice(low, low + pageSize)
  }

  /** Resolves once anything changed after `version` was read; at once if it has by now. */
  #nextChange(signal: AbortSignal, version: number): Promise<void> {
    if (this.#version !== version || signal.aborted || this.#closing.signal.aborted) return Promise.resolve()
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
}

function compare(a: { tick: number; seq: number }, b: { tick: number; seq: number }): number {
  return a.tick - b.tick || a.seq - b.seq
}
