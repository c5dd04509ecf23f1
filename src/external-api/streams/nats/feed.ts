import type { ConsumerMessages } from '@nats-io/jetstream'
import type { Database } from '../../../foundation/platform/database/database.ts'
import { checkPosition, headPosition } from '../../../foundation/runtime/cursors.ts'
import { type LoggedEvent, type LogPosition, readEvents } from '../../../foundation/runtime/event-log.ts'
import { LogWindow, type Subscription } from '../../../foundation/runtime/log-window.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import type { EventFeed } from '../event-feed.ts'
import type { NatsLink } from './connect.ts'
import { comparePositions, decodeMessage, isEvent } from './message.ts'
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

/**
 * Serves the subscribers of a replica from NATS, so that replicas do not read the log for every event. The log stays the
 * truth: what NATS does not bring, because a relay is away, a message is missing or a subscriber begins further back, is
 * read from there.
 */
export class NatsFeed implements EventFeed, AsyncDisposable {
  readonly #options: NatsFeedOptions
  readonly #window: LogWindow
  readonly #watch: Loop
  readonly #closing = new AbortController()
  #messages: ConsumerMessages | null = null
  #reading: Promise<void> = Promise.resolve()
  /** The end of the log when it was looked at last, if it was ahead of the head then. */
  #ahead: LogPosition | null = null

  private constructor(options: NatsFeedOptions, head: LogPosition) {
    this.#options = options
    const { database, keep } = options
    this.#window = new LogWindow(head, {
      ...(keep === undefined ? {} : { keep }),
      readPage: (from, limit) =>
        database.asSystem('nats-feed').read(async (tx) => {
          await checkPosition(tx, from)
          return readEvents(tx, from, limit)
        }),
    })
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
    return this.#window.follow({ ...subscription, from }, signal)
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
      if (!isEvent(message.headers)) continue
      const { position, before, event } = decodeMessage(message.headers, message.data)
      const { head } = this.#window
      if (comparePositions(position, head) <= 0) continue
      // A gap, another epoch, or an event without its data: what is not whole is left to the log.
      const follows = position.epoch === head.epoch && comparePositions(before, head) <= 0
      if (event !== null && follows) this.#window.extend([event])
      else this.#window.skipTo(position)
      if (message.info.pending === 0 || this.#window.size % 200 === 0) this.#window.tell()
    }
  }

  /** Twice behind the same place, at least: then NATS brings nothing, and subscribers are sent to the log. */
  async #look(): Promise<void> {
    const end = await this.#options.database.asSystem('nats-feed').read(headPosition)
    const { head } = this.#window
    const replaced = end.epoch > head.epoch
    const behind = replaced || (end.epoch === head.epoch && end.tick > head.tick)
    const stuck = behind && this.#ahead !== null && head.tick < this.#ahead.tick
    if (replaced || stuck) {
      this.#window.skipTo(end)
      this.#window.tell()
    }
    this.#ahead = behind ? end : null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#window[Symbol.dispose]()
    await this.#watch.stop()
    this.#messages?.stop()
    await this.#reading
  }
}
