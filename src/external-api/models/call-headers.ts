import type { IncomingMessage } from 'node:http'
import type { Outgoing } from './outgoing.ts'
import type { Fields } from './wire/fields.ts'

/** What an account is sent. `key` null: it wants none. */
export function headersFor({ target }: Outgoing, key: string | null, asked: Fields): Record<string, string> {
  const { account } = target
  const passed = (name: string) => (typeof asked[name] === 'string' ? { [name]: asked[name] } : {})
  const common = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'user-agent': 'leanvibe',
  }
  if (account.provider === 'anthropic') {
    return {
      ...common,
      'anthropic-version': typeof asked['anthropic-version'] === 'string' ? asked['anthropic-version'] : '2023-06-01',
      ...passed('anthropic-beta'),
      ...(key === null ? {} : { 'x-api-key': key }),
      ...account.headers,
    }
  }
  return {
    ...common,
    ...passed('openai-beta'),
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...account.headers,
  }
}

export function plainHeaders(answer: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(answer.headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** How long the provider wants to be left alone, ms; for the caller to know. */
export function waitOf({ headers }: IncomingMessage): number {
  const ms = Number(headers['retry-after-ms'])
  if (Number.isFinite(ms) && ms > 0) return ms
  const seconds = Number(headers['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 1_000
}
