import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import { type AddressGuard, hostOf } from '../../../foundation/platform/network/address-guard.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { httpAgentErrors } from './http-errors.ts'

export interface HttpCall {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Parsed where it is JSON, else its text. */
  readonly body: JsonValue
  /** What the service asks for before it is called again. */
  readonly retryAfterMs: number | null
}

export interface SendOptions {
  readonly guard: AddressGuard
  readonly timeoutMs: number
  readonly largestBytes: number
  readonly signal: AbortSignal
}

/** One request to a service of a pool: guarded address, no redirects, bounded time, bounded answer. @throws agent-address-refused, agent-unreachable, agent-protocol */
export async function sendRequest(call: HttpCall, options: SendOptions): Promise<HttpAnswer> {
  const { guard, timeoutMs, largestBytes, signal } = options
  const secure = checkAddress(call.url, guard)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(call.url, {
        method: call.method,
        agent: false,
        lookup: secure ? guard.lookup : guard.lookupAllowed,
        signal: limit,
        headers: {
          accept: 'application/json, text/plain;q=0.5, */*;q=0.1',
          ...(call.body === null ? {} : { 'content-type': 'application/json' }),
          ...call.headers,
          ...(call.body === null ? {} : { 'content-length': Buffer.byteLength(call.body) }),
          ...{ 'accept-encoding': 'identity', 'user-agent': 'leanvibe' },
        },
      })
      request.once('response', resolve)
      request.once('error', reject)
      request.end(call.body ?? undefined)
    })
    const bytes = await readAll(answer, largestBytes)
    const headers = plainHeaders(answer)
    const status = answer.statusCode ?? 0
    const text = bytes.toString('utf8')
    const body = parse(text)
    // What says of itself that it is JSON and breaks off is no answer; a refusal may be anything.
    if (body === undefined && text !== '' && status < 300 && isCalledJson(headers))
      throw sessionErrors['agent-protocol'](`its answer is called JSON and is none: ${text.slice(0, 100)}`)
    return {
      ...{ status, headers },
      body: body === undefined ? text : body,
      retryAfterMs: retryAfterMs(headers['retry-after']),
    }
  } catch (error) {
    signal.throwIfAborted()
    if (isAppError(error)) throw error
    const why = limit.aborted ? `no whole answer within ${timeoutMs / 1_000} s` : describe(error)
    throw sessionErrors['agent-unreachable'](`${call.method} ${call.url.origin}${call.url.pathname}: ${why}`)
  }
}

/** Names are looked up when they are connected to, by the guard; here is what can be told before. Resolves to whether it is TLS. */
function checkAddress(url: URL, guard: AddressGuard): boolean {
  const refuse = (why: string) => httpAgentErrors['agent-address-refused'](`${url.origin} ${why}`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('is no http address')
  if (url.username !== '' || url.password !== '') throw refuse('carries credentials')
  const secure = url.protocol === 'https:'
  const host = hostOf(url)
  if (isIP(host) !== 0 && !(secure ? guard.permits(host) : guard.allows(host)))
    throw refuse(secure ? 'is not public, and not in `allow`' : 'is without TLS, and not in `allow`')
  return secure
}

async function readAll(answer: IncomingMessage, most: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length
    if (size > most) throw sessionErrors['agent-protocol'](`its answer has more than ${most} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function isCalledJson(headers: Readonly<Record<string, string>>): boolean {
  return /[/+]json\b/i.test(headers['content-type'] ?? '')
}

/** Undefined: it is no JSON. */
function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}

function plainHeaders({ headers }: IncomingMessage): JsonObject & Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  )
}

/** Seconds, or a date. */
function retryAfterMs(header: string | undefined, now = Date.now()): number | null {
  if (header === undefined) return null
  const seconds = Number(header)
  if (header.trim() !== '' && Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1_000 : null
  const at = Date.parse(header)
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}

function describe(error: unknown): string {
  const { code } = error as { code?: unknown }
  const text = messageOf(error)
  return typeof code === 'string' && !text.includes(code) ? `${code}: ${text}` : text
}
