import type { MsgHdrs } from '@nats-io/transport-node'
import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../../foundation/kernel/json.ts'
import { formatCursor, parseCursor } from '../../../foundation/runtime/cursors.ts'
import type { LoggedEvent, LogPosition } from '../../../foundation/runtime/event-log.ts'
import { cloudEventSchema, eventId, toCloudEvent } from '../cloud-event-contract.ts'

/** The place of the event before: whoever saw another one last has missed something. */
const beforeHeader = 'Lv-Before'
const cursorHeader = 'Lv-Cursor'
/** The event was too large for the server; it is in the database alone. */
const omittedHeader = 'Lv-Omitted'

export interface RelayMessage {
  readonly id: string
  readonly body: Uint8Array
  readonly headers: MsgHdrs
}

/**
 * An event as it travels: a CloudEvent in structured mode. One beyond `maxBytes` goes without its data.
 * @param head empty headers, which it fills
 */
export function encodeMessage(
  event: LoggedEvent,
  head: MsgHdrs,
  { epoch, before, maxBytes }: { readonly epoch: number; readonly before: LogPosition; readonly maxBytes: number },
): RelayMessage {
  const cloudEvent = toCloudEvent(event, epoch)
  const whole = Buffer.from(JSON.stringify(cloudEvent))
  const fits = whole.length <= maxBytes
  head.set('Content-Type', 'application/cloudevents+json')
  head.set(cursorHeader, cloudEvent.cursor)
  head.set(beforeHeader, formatCursor(before))
  if (!fits) head.set(omittedHeader, 'data')
  return {
    id: eventId(epoch, event.seq),
    body: fits ? whole : Buffer.from(JSON.stringify({ ...cloudEvent, data: null })),
    headers: head,
  }
}

export interface Decoded {
  readonly position: LogPosition
  readonly before: LogPosition
  /** Null where its data were left out. */
  readonly event: LoggedEvent | null
}

/**
 * Whether a message of the stream is one of the relay. Whoever may ask JetStream anything has its answers sent to any subject,
 * those of the stream too, but such answers cannot carry a cursor.
 */
export function isEvent(head: MsgHdrs | undefined): head is MsgHdrs {
  return head?.has(cursorHeader) === true
}

/** @param head of a message that `isEvent` */
export function decodeMessage(head: MsgHdrs, body: Uint8Array): Decoded {
  const position = parseCursor(head.get(cursorHeader))
  const before = parseCursor(head.get(beforeHeader))
  if (head.has(omittedHeader)) return { position, before, event: null }
  const { source, type, subject, rev, runid, time, data } = cloudEventSchema.parse(
    JSON.parse(Buffer.from(body).toString()),
  )
  const slash = subject.indexOf('/')
  return {
    position,
    before,
    event: {
      tenant: source.slice('/tenants/'.length) as TenantId,
      type,
      subject: { kind: subject.slice(0, slash), id: subject.slice(slash + 1), rev },
      runId: runid ?? null,
      at: new Date(time),
      data: data as JsonValue,
      tick: position.tick,
      seq: position.seq,
    },
  }
}

/** The place of the event in a message, from its headers alone. */
export function positionIn(head: MsgHdrs): LogPosition {
  return parseCursor(head.get(cursorHeader))
}

/** The order of the log. An older epoch is behind every place of a newer one. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.epoch - b.epoch || a.tick - b.tick || a.seq - b.seq
}
