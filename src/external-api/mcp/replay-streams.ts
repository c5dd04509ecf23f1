import type { IdSource } from '../../foundation/kernel/ids.ts'

export interface ReplayLimits {
  /** Streams at a time. */
  readonly streams: number
  /** What all of them keep together. */
  readonly bytes: number
  /** How long one is kept that nobody reads: work goes on so long without its caller, and its answer waits so long for him. */
  readonly keepMs: number
}

export const replayLimits: ReplayLimits = { streams: 512, bytes: 32 * 1_048_576, keepMs: 120_000 }

interface Event {
  readonly number: number
  /** As JSON; empty: it only names the place where the stream begins. */
  readonly data: string
}

const encoder = new TextEncoder()

/**
 * The streams of answers of this process, kept for a while so that a caller whose connection broke reads on where it stopped.
 * In memory: nothing of it outlives the process, and another replica does not know it.
 */
export class ReplayStreams {
  readonly #limits: ReplayLimits
  readonly #ids: IdSource
  readonly #streams = new Map<string, ReplayStream>()
  #bytes = 0

  constructor(ids: IdSource, limits: ReplayLimits = replayLimits) {
    this.#ids = ids
    this.#limits = limits
  }

  /** Null where there is no room for one that could be taken up again. */
  open(owner: string): ReplayStream | null {
    if (this.#streams.size >= this.#limits.streams) this.#dropOldest()
    if (this.#streams.size >= this.#limits.streams) return null
    const id = this.#ids.next<string>('mcs')
    const stream = new ReplayStream(id, owner, this.#limits.keepMs, {
      grown: (bytes) => this.#make(bytes),
      gone: () => this.#drop(stream),
    })
    this.#streams.set(id, stream)
    return stream
  }

  /** The stream of an event that its owner has seen, and the place behind it. Null: it is no longer here, or never was his. */
  find(owner: string, eventId: string): { readonly stream: ReplayStream; readonly after: number } | null {
    const cut = eventId.lastIndexOf('.')
    const stream = this.#streams.get(eventId.slice(0, cut))
    const after = Number(eventId.slice(cut + 1))
    if (stream === undefined || stream.owner !== owner || !Number.isSafeInteger(after)) return null
    return { stream, after }
  }

  close(): void {
    for (const stream of [...this.#streams.values()]) stream.drop()
  }

  #make(bytes: number): void {
    this.#bytes += bytes
    while (this.#bytes > this.#limits.bytes && this.#dropOldest()) {}
  }

  /** The oldest of those that have ended. Work that goes on is not taken from its caller. */
  #dropOldest(): boolean {
    const oldest = [...this.#streams.values()].find(({ ended }) => ended)
    oldest?.drop()
    return oldest !== undefined
  }

  #drop(stream: ReplayStream): void {
    if (this.#streams.delete(stream.id)) this.#bytes -= stream.bytes
  }
}

interface Keeper {
  grown(bytes: number): void
  gone(): void
}

/** What was sent on one stream. */
export class ReplayStream {
  readonly id: string
  readonly owner: string
  bytes = 0
  ended = false
  readonly #keepMs: number
  readonly #keeper: Keeper
  readonly #left = new AbortController()
  readonly #events: Event[] = []
  #readers = 0
  #timer: NodeJS.Timeout | undefined
  #more = Promise.withResolvers<void>()

  constructor(id: string, owner: string, keepMs: number, keeper: Keeper) {
    this.id = id
    this.owner = owner
    this.#keepMs = keepMs
    this.#keeper = keeper
  }

  /** Aborted when nobody came back for it in time. */
  get signal(): AbortSignal {
    return this.#left.signal
  }

  /** Keeps a message and names it. `last`: nothing comes after it. */
  push(data: string, last: boolean): string {
    const event = { number: this.#events.length + 1, data }
    this.#events.push(event)
    this.ended ||= last
    this.bytes += data.length
    this.#keeper.grown(data.length)
    this.#wake()
    return this.#nameOf(event)
  }

  /** Somebody reads it. Returns what says that he has gone. */
  attach(): () => void {
    this.#readers += 1
    clearTimeout(this.#timer)
    return () => {
      this.#readers -= 1
      if (this.#readers > 0 || this.#left.signal.aborted) return
      this.#timer = setTimeout(() => this.drop(), this.#keepMs)
      this.#timer.unref()
    }
  }

  /** What came after an event and what comes, as server-sent events, until the last. */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const detach = this.attach()
    const over = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => over.resolve(), { once: true })
    try {
      let next = after
      while (!signal.aborted && !this.#left.signal.aborted) {
        const event = this.#events[next]
        if (event !== undefined) {
          next = event.number
          yield encoder.encode(`id: ${this.#nameOf(event)}\nevent: message\ndata: ${event.data}\n\n`)
        } else if (this.ended) return
        else await Promise.race([this.#more.promise, over.promise])
      }
    } finally {
      detach()
    }
  }

  drop(): void {
    clearTimeout(this.#timer)
    this.#keeper.gone()
    this.#left.abort(new Error('the client went away'))
    this.#wake()
  }

  #nameOf({ number }: Event): string {
    return `${this.id}.${number}`
  }

  #wake(): void {
    this.#more.resolve()
    this.#more = Promise.withResolvers()
  }
}
