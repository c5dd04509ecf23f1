import type { CallOutcome } from './quota-port.ts'

/** What a provider says of one of its limits. */
export interface ToldLimit {
  readonly limit: number
  readonly remaining: number
  /** When it is full again; null where it does not say. */
  readonly resetAt: number | null
}

export interface ToldLimits {
  readonly requests: ToldLimit | null
  readonly tokens: ToldLimit | null
  /** When it was said, ms since 1970. */
  readonly at: number
  /** Not before, ms since 1970; null where it does not say. */
  readonly retryAt: number | null
}

type Read = (name: string) => string | null

/** Reads what OpenAI, Anthropic and others tell in headers. `now`: ms since 1970. Nonsense counts as not said. */
export function readRateHeaders(headers: CallOutcome['headers'], now: number): ToldLimits {
  const read = readerOf(headers)
  return {
    requests: firstOf(read, now, [
      [
        'anthropic-ratelimit-requests-limit',
        'anthropic-ratelimit-requests-remaining',
        'anthropic-ratelimit-requests-reset',
      ],
      ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
      ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'],
      ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'],
    ]),
    tokens: firstOf(read, now, [
      ['anthropic-ratelimit-tokens-limit', 'anthropic-ratelimit-tokens-remaining', 'anthropic-ratelimit-tokens-reset'],
      [
        'anthropic-ratelimit-input-tokens-limit',
        'anthropic-ratelimit-input-tokens-remaining',
        'anthropic-ratelimit-input-tokens-reset',
      ],
      ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
    ]),
    retryAt: readRetry(read, now),
    at: now,
  }
}

function readerOf(headers: CallOutcome['headers']): Read {
  if (headers === undefined) return () => null
  if (headers instanceof Headers) return (name) => headers.get(name)
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return (name) => lower.get(name) ?? null
}

function firstOf(read: Read, now: number, names: readonly (readonly [string, string, string])[]): ToldLimit | null {
  for (const [limitName, remainingName, resetName] of names) {
    const limit = numberOf(read(limitName))
    const remaining = numberOf(read(remainingName))
    if (limit === null || remaining === null || limit <= 0) continue
    return { limit, remaining: Math.min(remaining, limit), resetAt: readMoment(read(resetName), now) }
  }
  return null
}

function readRetry(read: Read, now: number): number | null {
  const ms = numberOf(read('retry-after-ms'))
  if (ms !== null) return now + Math.min(ms, mostWaitMs)
  return readMoment(read('retry-after'), now)
}

/** Longer than a window of a subscription no provider makes anybody wait; a header that says so is wrong. */
const mostWaitMs = 7 * 86_400_000

/** `20`, `20ms`, `1m6s`, `1h2m3.5s`, seconds since 1970, an HTTP date or RFC 3339: as ms since 1970. */
export function readMoment(text: string | null, now: number): number | null {
  if (text === null) return null
  const trimmed = text.trim()
  const seconds = numberOf(trimmed)
  if (seconds !== null) {
    const at = seconds > 1_000_000_000 ? seconds * 1_000 : now + seconds * 1_000
    return at - now > mostWaitMs ? null : at
  }
  const parts = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/.exec(trimmed)
  if (parts !== null && trimmed !== '') {
    const [days = 0, hours = 0, minutes = 0, secs = 0, ms = 0] = parts.slice(1).map((part) => Number(part ?? 0))
    return now + ((days * 24 + hours) * 60 + minutes) * 60_000 + secs * 1_000 + ms
  }
  const at = Date.parse(trimmed)
  return Number.isNaN(at) || at - now > mostWaitMs ? null : at
}

function numberOf(text: string | null): number | null {
  if (text === null || !/^\s*\d+(\.\d+)?\s*$/.test(text)) return null
  return Number(text)
}
