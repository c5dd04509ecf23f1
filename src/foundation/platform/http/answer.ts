import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseWith } from '../../kernel/schema.ts'
import type { CompressionRule } from './compression.ts'
import { httpErrors } from './http-errors.ts'
import type { HttpLogger } from './http-logger.ts'
import { doOnce, fingerprintOf, type IdempotencyStore, type PreparedAnswer, readIdempotencyKey } from './idempotency.ts'
import { readIfMatch } from './preconditions.ts'
import type { Principal } from './principal.ts'
import { problemMediaType, toAppError, toProblem } from './problem.ts'
import { prepareJson, sendJson, sendReply } from './reply.ts'
import type { Route, Upgrade } from './route.ts'
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
  if (key === null || principal === null || settings.idempotency === null || route.reply !== 'json') {
    return sendReply({ ...sending, result: await route.handle(inputOf(asked, key)) })
  }
  const write = {
    tenant: principal.tenant,
    caller: principal.key ?? principal.id,
    key,
    fingerprint: fingerprintOf(route.method, request.url, request.body),
  }
  const prepared = await doOnce(settings.idempotency, write, () => performOnce(asked, key))
  return sendJson({ ...sending, result: null }, prepared)
}

/** Failures that every repeat would meet again are answers as well. */
async function performOnce(asked: Asked, key: string) {
  const { route, request } = asked
  try {
    const given = prepareJson(route, await route.handle(inputOf(asked, key)))
    return { answer: given, keep: true, ...(route.secret ? { instead: spent(request.id) } : {}) }
  } catch (error) {
    const known = toAppError(error)
    const problem = toProblem(known, request.id)
    if (problem.status >= 500 || known.retry !== 'never') throw error
    return { answer: problemAnswer(problem), keep: true }
  }
}

function spent(requestId: string): PreparedAnswer {
  const error = httpErrors['idempotency-spent'](
    `request ${requestId} was done; its answer held a secret and was not kept`,
  )
  return problemAnswer(toProblem(error, requestId))
}

function problemAnswer(problem: ReturnType<typeof toProblem>): PreparedAnswer {
  return {
    status: problem.status,
    headers: { 'content-type': problemMediaType, 'cache-control': 'no-store' },
    body: JSON.stringify(problem),
  }
}

function inputOf({ route, request, principal, trace, upgrade, signal }: Asked, key: string | null) {
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
    trace,
    ip: request.ip,
    headers: request.headers,
    rawBody: route.rawBody ? (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)) : null,
    upgrade,
  }
}
