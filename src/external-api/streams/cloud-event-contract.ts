import { z } from 'zod'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { jsonSchema } from '../../foundation/kernel/json-schema.ts'

/** A CloudEvent 1.0 in its JSON form. `cursor`, `rev`, `runid` and `sequence` are extension attributes. */
export const cloudEventSchema = z.object({
  specversion: z.literal('1.0'),
  /** The same event has the same id wherever and however often it is seen. */
  id: z.string(),
  source: z.string(),
  /** `<subject kind>.<what happened>`, for example `task.succeeded`. */
  type: z.string(),
  /** `<kind>/<id>` of what changed. */
  subject: z.string(),
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  /** Pass it back to resume behind this event. */
  cursor: z.string(),
  /** Grows along the log within an epoch. */
  sequence: z.string(),
  /** The revision that the change gave the subject. */
  rev: z.int(),
  runid: z.string().optional(),
  data: jsonSchema,
})
export type CloudEvent = z.infer<typeof cloudEventSchema>

/** What is needed of an event of the log. */
export interface EventFacts {
  readonly tenant: string
  readonly type: string
  readonly subject: { readonly kind: string; readonly id: string; readonly rev: number }
  readonly runId: string | null
  readonly at: Date
  readonly data?: JsonValue
  readonly tick: number
  readonly seq: number
}

export function toCloudEvent(event: EventFacts, epoch: number): CloudEvent {
  return {
    specversion: '1.0',
    id: eventId(epoch, event.seq),
    source: `/tenants/${event.tenant}`,
    type: event.type,
    subject: `${event.subject.kind}/${event.subject.id}`,
    time: event.at.toISOString(),
    datacontenttype: 'application/json',
    cursor: `${epoch}.${event.tick}.${event.seq}`,
    sequence: String(event.seq),
    rev: event.subject.rev,
    ...(event.runId === null ? {} : { runid: event.runId }),
    data: (event.data ?? null) as CloudEvent['data'],
  }
}

/** A log that was restored counts on from an earlier number: only with its epoch is the number a name. */
export function eventId(epoch: number, seq: number): string {
  return `evt_${epoch}_${seq}`
}
