import type { StreamState } from '@nats-io/jetstream'
import { failpoint } from '../../../foundation/kernel/failpoints.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import { claimCursor, mapStoredPosition, saveCursor } from '../../../foundation/runtime/cursors.ts'
import { type LogPosition, readEvents } from '../../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import { tickChannel } from '../../../foundation/runtime/ticker.ts'
import type { NatsLink } from './connect.ts'
import { comparePositions, encodeMessage, isEvent, positionIn } from './message.ts'
import { streamName, subjectOf } from './subjects.ts'
import { removeTenant } from './tenant-consumers.ts'

/** How a relay fares, for status. */
export interface RelayState {
  connected: boolean
  /** Events published by this process. */
  published: number
  error: string | null
}

export function relayState(): RelayState {
  return { connected: true, published: 0, error: null }
}

export interface RelayOptions {
  readonly database: Database
  readonly link: NatsLink
  readonly state: RelayState
  /** Events published at a time. Default 500. */
  readonly batch?: number
  readonly pollMs?: number
  /** How long a relay leaves the field to one that was faster, ms. Default 2,000. */
  readonly standbyMs?: number
  readonly onError: (error: unknown) => void
}

/** Its place in the log keeps events from being dropped before they were published. */
const cursorName = 'nats-relay'
const wrongLastSequence = 10_071
/** Room for the headers in a message. */
const headerBytes = 1_024

/**
 * Publishes the log to JetStream in its order, each event once. Every message names the one that must be the last of the
 * stream, so the server itself refuses what was published before a crash, or by another replica; after any doubt the
 * relay asks the stream where it stands. Any number of replicas may run one: the first goes on, the others stand by.
 */
export function startRelay(options: RelayOptions): Loop {
  const { database, link, state, batch = 500, standbyMs = 2_000 } = options
  const system = database.asSystem('nats-relay')
  /** Null where it must be asked for. */
  let place: { position: LogPosition; sequence: number | null } | null = null
  let standbyUntil = 0

  /** Of the newest event in the stream. What follows it was put there by others, and is removed. */
  const findPublished = async (figures: StreamState): Promise<LogPosition | null> => {
    let removed = 0
    let found: LogPosition | null = null
    for (let seq = figures.last_seq; found === null && figures.messages > 0 && seq >= figures.first_seq; seq--) {
      const message = await link.manager.streams.getMessage(streamName, { seq })
      if (message === null) continue
      if (isEvent(message.header)) found = positionIn(message.header)
      else if (await link.manager.streams.deleteMessage(streamName, seq)) removed += 1
    }
    if (removed > 0)
      options.onError(new Error(`${removed} messages of the stream ${streamName} were not from the relay`))
    return found
  }

  const findPlace = async () => {
    const stored = await system.write(async (tx) => {
      const found = await claimCursor(tx, cursorName, database.clock.now())
      return found === null ? null : mapStoredPosition(tx, found)
    })
    if (stored === null) return null
    const { state: figures } = await link.manager.streams.info(streamName)
    const published = await findPublished(figures)
    // What was published and not noted is not published again; another epoch's numbers say nothing about ours.
    const position =
      published !== null && published.epoch === stored.epoch && comparePositions(published, stored) > 0
        ? published
        : stored
    return { position, sequence: figures.last_seq }
  }

  const publish = async (from: { position: LogPosition; sequence: number }): Promise<number> => {
    const events = await system.read((tx) => readEvents(tx, from.position, batch))
    // Its events are gone from the log by now: what was published earlier is all there is. Before its end is published,
    // so that a crash in between repeats this.
    for (const { type, subject } of events) if (type === 'tenant.deleted') await removeTenant(link, subject.id)
    const { epoch } = from.position
    const maxBytes = (link.connection.info?.max_payload ?? 1_048_576) - headerBytes
    let { position, sequence } = from
    const acks = events.map((event) => {
      const message = encodeMessage(event, link.headers(), { epoch, before: position, maxBytes })
      const ack = link.client.publish(subjectOf(event), message.body, {
        msgID: message.id,
        headers: message.headers,
        expect: { lastSequence: sequence, streamName },
      })
      position = { epoch, tick: event.tick, seq: event.seq }
      sequence += 1
      return ack
    })
    failpoint('relay.sent')
    const results = await Promise.allSettled(acks)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    failpoint('relay.published')
    state.published += events.length
    // A repeat was recognised by its id and took no number: the count no longer holds.
    const repeated = results.some((result) => result.status === 'fulfilled' && result.value.duplicate)
    place = { position, sequence: repeated ? null : sequence }
    return events.length
  }

  const loop = createLoop({
    pollMs: options.pollMs ?? 500,
    onError: options.onError,
    step: async () => {
      state.connected = link.connected()
      if (!state.connected || performance.now() < standbyUntil) return
      try {
        const known = place !== null && place.sequence !== null ? { ...place, sequence: place.sequence } : null
        const from = known ?? (await findPlace())
        if (from === null) return
        place = from
        const count = await publish(from)
        state.error = null
        if (count === 0) return
        const { position } = place
        await system.write((tx) => saveCursor(tx, cursorName, position, database.clock.now()))
        return count === batch
      } catch (error) {
        place = null
        if ((error as { code?: unknown }).code === wrongLastSequence) {
          standbyUntil = performance.now() + standbyMs
          return
        }
        state.error = 'events could not be published; they wait in the database'
        throw error
      }
    },
  })
  const unlisten = database.listen(tickChannel, () => loop.poke())
  return {
    poke: loop.poke,
    stop() {
      unlisten()
      return loop.stop()
    },
  }
}
