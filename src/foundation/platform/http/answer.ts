import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseWith } from '../../kernel/schema.ts'
import type { CompressionRule } from './compression.ts'
import { type LimitState, rateLimitHeaders } from './front-door.ts'
import { httpErrors } from './http-errors.ts'
import type { HttpLogger } from './http-logger.ts'
import { doOnce, fingerprintOf, type IdempotencyStore, type PreparedAnswer, readIdempotencyKey } from './idempotency.ts'
import { readIfMatch } from './preconditions.ts'
import type { Principal } from './principal.ts'
import { problemMediaType, toAppError, toProblem } from './problem.ts'
import { prepareJson, sendJson, sendReply } from './reply.ts'
import type { RelayReply, Route, Upgrade } from './route.ts'
import type { TraceContext } from './trace-context.ts'

export interface Asked {
  readonly route: Route
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly principal: Principal | null
  readonly trace: TraceContext
  readonly upgrade: Upgrade | null
  readonly signal: AbortSignal
}

export interface AnswerSettings {
  readonly idempotency: IdempotencyStore | null
  readonly heartbeatMs: number
  readonly stallMs: number
  readonly compression: CompressionRule
  readonly logger: HttpLogger
}

/** Parses what came in, lets the route handle it and sends what it says. */
export async function answer(asked: Asked, settings: AnswerSettings): Promise<unknown> {
  const { route, request, reply, principal, upgrade, signal } = asked
  if (route.reply === 'socket') {
    if (upgrade === null) throw httpErrors['upgrade-required']('this address is for WebSockets')
    const input = inputOf(asked, null)
    reply.hijack()
    await route.handle(input)
    return reply
  }
  const sending = { route, request, reply, signal, ...settings }
  const key = route.method === 'GET' ? null : readIdempotencyKey(request.headers['idempotency-key'])
  if (key === null || principal === null || settings.idempotency === null || !isRepeatable(route)) {
    return sendReply({ ...sending, result: await route.handle(inputOf(asked, key)) })
  }
  const write = {
    tenant: principal.tenant,
    caller: principal.key ?? principal.id,
    key,
    fingerprint: fingerprintOf(route.method, request.url, request.body),
    outside: route.outside,
  }
  if (route.reply === 'relay') {
    const done = await doOnce(settings.idempotency, write, (tookEffect) => relayOnce(asked, key, tookEffect))
    return 'replay' in done
      ? sendJson({ ...sending, result: null }, done.replay)
      : sendReply({ ...sending, result: done.answer })
  }
  const done = await doOnce(settings.idempotency, write, (tookEffect) => performOnce(asked, key, tookEffect))
  return sendJson({ ...sending, result: null }, 'replay' in done ? done.replay : done.answer)
}

/** The others read, or are about what comes while they last. */
function isRepeatable({ reply }: Route): boolean {
  return reply === 'json' || reply === 'relay'
}

/** Failures that every repeat would meet again are answers as well. */
async function performOnce(asked: Asked, key: string, tookEffect: () => void) {
  const { route, request } = asked
  try {
    const given = prepareJson(route, await route.handle(inputOf(asked, key, tookEffect)))
    return { answer: given, kept: route.secret ? spent(asked, 'held a secret and') : given }
  } catch (error) {
    const known = toAppError(error)
    const problem = toProblem(known, request.id)
    if (problem.status >= 500 || known.retry !== 'never') throw error
    const answer = problemAnswer(problem)
    return { answer, kept: answer }
  }
}

/** A stream is told as spent before its first byte leaves: it cannot be had again, and must not be done again. */
async function relayOnce(asked: Asked, key: string, tookEffect: () => void) {
  const answer = (await asked.route.handle(inputOf(asked, key, tookEffect))) as RelayReply
  const { status, headers, body, unkept } = answer
  if (status >= 400) return { answer, kept: null }
  const text = typeof body === 'string' ? body : body instanceof Uint8Array ? Buffer.from(body).toString() : null
  if (text === null) return { answer, kept: spent(asked, 'was a stream and', unkept) }
  if (unkept !== undefined || text.length > mostKept || text.includes('\0'))
    return { answer, kept: spent(asked, '', unkept) }
  return { answer, kept: { status, headers: { 'cache-control': 'no-store', ...headers }, body: text } }
}

/** Of an answer that is relayed, in characters. */
const mostKept = 1_048_576

function spent({ route, request }: Asked, why: string, more?: string): PreparedAnswer {
  const told = `request ${request.id} was done; its answer ${`${why} was not kept`.trim()}`
  const error = httpErrors['idempotency-spent'](more === undefined ? told : `${told}: ${more}`)
  const problem = toProblem(error, request.id)
  const form = route.failure?.(error, problem.status, request.id)
  if (form === undefined) return problemAnswer(problem)
  const headers = { ...form.headers, 'content-type': form.mediaType, 'cache-control': 'no-store' }
  return { status: problem.status, headers, body: form.body }
}

function problemAnswer(problem: ReturnType<typeof toProblem>): PreparedAnswer {
  return {
    status: problem.status,
    headers: { 'content-type': problemMediaType, 'cache-control': 'no-store' },
    body: JSON.stringify(problem),
  }
}

function inputOf(
  { route, request, reply, principal, trace, upgrade, signal }: Asked,
  key: string | null,
  tookEffect: () => void = () => {},
) {
  const lastEventId = request.headers['last-event-id']
  return {
    params: route.params === null ? undefined : parseWith(route.params, request.params, 'path'),
    query: route.query === null ? undefined : parseWith(route.query, request.query, 'query'),
    body: route.body === null ? undefined : parseWith(route.body, request.body ?? {}, 'body'),
    principal,
    signal,
    requestId: request.id,
    lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : null,
    ifMatch: readIfMatch(request.headers['if-match']),
    idempotencyKey: key,
    tookEffect,
    tellLimit: (state: LimitState) => void reply.headers(rateLimitHeaders([state])),
    trace,
    ip: request.ip,
    headers: request.headers,
    rawBody: route.rawBody ? (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)) : null,
    upgrade,
  }
}
