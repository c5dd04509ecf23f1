import type { ConsumerMessages } from '@nats-io/jetstream'
import type { Database } from '../../../foundation/platform/database/database.ts'
import { checkPosition, headPosition } from '../../../foundation/runtime/cursors.ts'
import { type LoggedEvent, type LogPosition, readEvents } from '../../../foundation/runtime/event-log.ts'
import type { Subscription } from '../../../foundation/runtime/event-reader.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import type { EventFeed } from '../event-feed.ts'
import type { NatsLink } from './connect.ts'
import { comparePositions, decodeMessage } from './message.ts'
import { allSubjects, streamName } from './subjects.ts'

export interface NatsFeedOptions {
  readonly database: Database
  readonly link: NatsLink
  /** Events kept in memory. Default 20,000. */
  readonly keep?: number
  /** How often it is seen whether the log is ahead of what NATS brings, ms. Default 1,000. */
  readonly lookMs?: number
  readonly onError: (error: unknown) => void
}

const page = 2_000

/**
 * Serves the subscribers of a replica from NATS, so that replicas do not read the log for every event. The log stays the
 * truth: what NATS does not bring, because a relay is away, a message is missing or a subscriber begins further back, is
 * read from there.
 */
export class NatsFeed implements EventFeed, AsyncDisposable {
  readonly #options: NatsFeedOptions
  readonly #watch: Loop
  readonly #closing = new AbortController()
  #messages: ConsumerMessages | null = null
  #reading: Promise<void> = Promise.resolve()
  /** The end of what is kept. */
  #head: LogPosition
  /** Everything after this place, up to the head, is kept. */
  #floor: LogPosition
  #kept: LoggedEvent[] = []
  #version = 0
  #waiters = new Set<() => void>()
  /** The end of the log when it was looked at last, if it was ahead of the head then. */
  #ahead: LogPosition | null = null

  private constructor(options: NatsFeedOptions, head: LogPosition) {
    this.#options = options
    this.#head = head
    this.#floor = head
    this.#watch = createLoop({
      pollMs: options.lookMs ?? 1_000,
      onError: options.onError,
      step: () => this.#look(),
    })
  }

  static async start(options: NatsFeedOptions): Promise<NatsFeed> {
    const head = await options.database.asSystem('nats-feed').read(headPosition)
    const feed = new NatsFeed(options, head)
    feed.#reading = feed.#read().catch(options.onError)
    return feed
  }

  async open(subscription: Subscription, signal: AbortSignal): Promise<AsyncGenerator<readonly LoggedEvent[]>> {
    const from = subscription.from ?? (await this.#options.database.asSystem('nats-feed').read(headPosition))
    await this.#options.database.asSystem('nats-feed').read((tx) => checkPosition(tx, from))
    return this.#batches({ ...subscription, from }, signal)
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

  /** Follows the stream from now on; an ordered consumer mends itself. */
  async #read(): Promise<void> {
    const { link } = this.#options
    const consumer = await link.client.consumers.get(streamName, {
      filter_subjects: allSubjects,
      deliver_policy: 'new',
    })
    this.#messages = await consumer.consume({ max_messages: 1_000 })
    if (this.#closing.signal.aborted) this.#messages.stop()
    for await (const message of this.#messages) {
      const { position, before, event } = decodeMessage(message.headers!, message.data)
      if (comparePositions(position, this.#head) <= 0) continue
      // A gap, another epoch, or an event without its data: what is not whole is left to the log.
      if (event === null || comparePositions(before, this.#head) > 0) this.#skipTo(position)
      else this.#append(event, position)
      if (message.info.pending === 0 || this.#kept.length % 200 === 0) this.#tell()
    }
  }

  #append(event: LoggedEvent, position: LogPosition): void {
    const { keep = 20_000 } = this.#options
    this.#kept.push(event)
    this.#head = position
    if (this.#kept.length <= keep * 2) return
    const dropped = this.#kept[this.#kept.length - keep - 1]!
    this.#floor = { epoch: position.epoch, tick: dropped.tick, seq: dropped.seq }
    this.#kept = this.#kept.slice(-keep)
  }

  #skipTo(position: LogPosition): void {
    this.#kept = []
    this.#head = position
    this.#floor = position
  }

  /** Twice behind the same place, at least: then NATS brings nothing, and subscribers are sent to the log. */
  async #look(): Promise<void> {
    const end = await this.#options.database.asSystem('nats-feed').read(headPosition)
    const behind = end.epoch !== this.#head.epoch || end.tick > this.#head.tick
    if (behind && this.#ahead !== null && this.#head.tick < this.#ahead.tick) {
      this.#skipTo(end)
      this.#tell()
    }
    if (behind && end.epoch !== this.#head.epoch) {
      this.#skipTo(end)
      this.#tell()
    }
    this.#ahead = behind ? end : null
  }

  #tell(): void {
    this.#version += 1
    for (const wake of [...this.#waiters]) wake()
  }

  #readPage(from: LogPosition): Promise<LoggedEvent[]> {
    return this.#options.database.asSystem('nats-feed').read(async (tx) => {
      await checkPosition(tx, from)
      return readEvents(tx, from, page)
    })
  }

  #isKept(position: LogPosition): boolean {
    return position.epoch === this.#floor.epoch && comparePositions(position, this.#floor) >= 0
  }

  #after(position: LogPosition): readonly LoggedEvent[] {
    let low = 0
    let high = this.#kept.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const event = this.#kept[middle]!
      if (event.tick < position.tick || (event.tick === position.tick && event.seq <= position.seq)) low = middle + 1
      else high = middle
    }
    return this.#kept.slice(low, low + page)
  }

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
    this.#closing.abort()
    this.#tell()
    await this.#watch.stop()
    this.#messages?.stop()
    await this.#reading
  }
}
