import { isUtf8 } from 'node:buffer'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import { webhookErrors } from '../webhook-errors.ts'

const deepest = 64
const byteOrderMark = 0xfeff

export interface Content {
  readonly value: JsonValue
  /** The value as JSON: as it came, where it came as JSON. */
  readonly json: string
}

/** The content of a webhook: JSON, or a form whose `payload` holds JSON. Throws `webhook-malformed`. */
export function parseBody(body: Buffer, contentType: string | null): Content {
  const type = (contentType ?? 'application/json').split(';')[0]!.trim().toLowerCase()
  const text = decode(body)
  if (type === 'application/x-www-form-urlencoded') return parseForm(text)
  if (type !== 'application/json' && !type.endsWith('+json')) {
    throw webhookErrors['webhook-malformed'](`${JSON.stringify(type.slice(0, 80))} is neither JSON nor a form`)
  }
  return parseJson(text)
}

function decode(body: Buffer): string {
  if (!isUtf8(body)) throw webhookErrors['webhook-malformed']('the body is not UTF-8')
  const text = body.toString('utf8')
  return text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text
}

function parseJson(text: string): Content {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch (cause) {
    throw webhookErrors['webhook-malformed']('the body is not JSON', { cause })
  }
  if (mayBeDeep(text)) requireShallow(value)
  return { value, json: text }
}

/** Hardly any content opens so many lists and objects that they could be nested too deep. */
function mayBeDeep(text: string): boolean {
  let opened = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if ((code === 0x7b || code === 0x5b) && ++opened > deepest) return true
  }
  return false
}

/** GitHub and Slack put the JSON into a field called `payload`; else the fields themselves are the content. */
function parseForm(text: string): Content {
  const fields = new URLSearchParams(text)
  const payload = fields.get('payload')
  if (payload !== null) return parseJson(payload)
  // Object.fromEntries defines each field, so that one called __proto__ is a field like any other.
  const value = Object.fromEntries(fields) as JsonObject
  return { value, json: JSON.stringify(value) }
}

/** Whoever walks the value later may do so by recursion. */
function requireShallow(value: JsonValue): void {
  let level: JsonValue[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepest) throw webhookErrors['webhook-malformed'](`the body is nested deeper than ${deepest} levels`)
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null
        ? (Object.values(item) as JsonValue[]).filter((inner) => typeof inner === 'object' && inner !== null)
        : [],
    )
  }
}

/** What the sender calls the delivery and what happened, where that stands in the content. */
export function namesIn(content: JsonValue): { readonly id: string | null; readonly type: string | null } {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return { id: null, type: null }
  const fields = content as JsonObject
  const event = typeof fields.event === 'object' && fields.event !== null ? (fields.event as JsonObject) : {}
  return {
    id: textIn(fields.event_id) ?? textIn(fields.id) ?? textIn(fields.trigger_id),
    type: textIn(event.type) ?? textIn(fields.type) ?? textIn(fields.command),
  }
}

function textIn(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' && value.length <= 200 ? value : null
}
