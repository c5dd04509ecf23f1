import type { FastifyReply, FastifyRequest } from 'fastify'
import type { HttpLogger } from './http-logger.ts'
import { problemMediaType, toProblem, toRequestFailure } from './problem.ts'
import type { FailureForm } from './route.ts'

/** Answers with what went wrong, in the form of the route, and tells the log of it as loudly as it deserves. */
export function sendFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { logger, traceId }: { readonly logger: HttpLogger; readonly traceId: string | undefined },
): FastifyReply {
  const failure = toRequestFailure(error, request.raw)
  const problem = toProblem(failure, request.id)
  const fields = {
    requestId: request.id,
    traceId,
    method: request.method,
    path: request.routeOptions.url,
    code: problem.code,
  }
  // Probes ask every second while a server drains; that it drains was told once.
  if (failure.kind === 'unavailable' && failure.code === 'draining')
    logger.debug({ ...fields, detail: failure.message }, 'request put off')
  else if (failure.kind === 'unavailable') logger.warn({ ...fields, detail: failure.message }, 'request put off')
  else if (problem.status >= 500) logger.error({ ...fields, error: failure.cause ?? failure }, 'request failed')
  else logger.debug({ ...fields, detail: failure.message }, 'request refused')
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  if (problem.status === 412 && typeof failure.details.revision === 'number')
    reply.header('etag', `"${failure.details.revision}"`)
  const wait = failure.details.retryAfterMs
  if (typeof wait === 'number') reply.header('retry-after', String(Math.ceil(wait / 1_000)))
  const { failure: form } = (request.routeOptions.config ?? {}) as { readonly failure?: FailureForm | null }
  const told = form?.(failure, problem.status, request.id)
  return reply
    .code(problem.status)
    .headers(told?.headers ?? {})
    .type(told?.mediaType ?? problemMediaType)
    .header('cache-control', 'no-store')
    .send(told?.body ?? JSON.stringify(problem))
}
