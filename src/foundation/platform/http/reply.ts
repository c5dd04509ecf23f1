import type { FastifyReply } from 'fastify'
import type { z } from 'zod'
import { parseWith } from '../../kernel/schema.ts'
import type { ServerEvent } from './endpoint-contract.ts'
import { encodeEvent, heartbeat, withHeartbeat } from './event-stream.ts'
import type { HttpLogger } from './http-logger.ts'
import { toAppError, toProblem } from './problem.ts'
import type { ByteReply, Route } from './route.ts'
import { sendStream } from './send-stream.ts'

interface Sending {
  readonly route: Route
  readonly result: unknown
  readonly reply: FastifyReply
  readonly signal: AbortSignal
  readonly heartbeatMs: number
  readonly logger: HttpLogger
}

/** Sends what a handler returned, in the form its route declared. */
export function sendReply(sending: Sending): unknown {
  const { route, result, reply } = sending
  switch (route.reply) {
    case 'json':
      if (route.output === null) return reply.code(204).send()
      return reply.code(route.status).send(outgoing(route.output, result))
    case 'lines':
      return stream(
        sending,
        'application/x-ndjson; charset=utf-8',
        lines(route.output, result as AsyncIterable<unknown>),
        {
          onFailure: (problem) => `${JSON.stringify({ problem })}\n`,
        },
      )
    case 'events':
      return stream(sending, 'text/event-stream; charset=utf-8', events(sending), {
        headers: { 'x-accel-buffering': 'no' },
        first: heartbeat,
        onFailure: (problem) => encodeEvent({ event: 'problem', data: problem }),
      })
    case 'bytes':
      return bytes(sending, result as ByteReply)
  }
}

async function* lines(output: z.ZodType | null, items: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const item of items) yield `${JSON.stringify(outgoing(output, item))}\n`
}

async function* events({ route, result, heartbeatMs, signal }: Sending): AsyncGenerator<string> {
  const source = result as AsyncIterable<ServerEvent<unknown>>
  for await (const item of withHeartbeat(source, heartbeatMs, null, signal)) {
    yield item === null ? heartbeat : encodeEvent({ ...item, data: outgoing(route.output, item.data) })
  }
}

async function bytes(sending: Sending, content: ByteReply): Promise<unknown> {
  const { reply } = sending
  const name = encodeURIComponent(content.fileName ?? 'content').replaceAll("'", '%27')
  const headers: Record<string, string> = {
    'content-disposition': `attachment; filename*=UTF-8''${name}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  }
  if (typeof content.body === 'string' || content.body instanceof Uint8Array) {
    return reply
      .headers(headers)
      .type(content.mediaType)
      .send(Buffer.from(content.body as Uint8Array))
  }
  if (content.bytes !== undefined) headers['content-length'] = String(content.bytes)
  return stream(sending, content.mediaType, content.body, { headers })
}

interface StreamForm {
  readonly headers?: Readonly<Record<string, string>>
  readonly first?: string
  /** How a failure after the first byte is told; without it the connection is cut, so that nobody takes the part for the whole. */
  readonly onFailure?: (problem: object) => string
}

async function stream(
  { route, reply, signal, logger }: Sending,
  mediaType: string,
  chunks: AsyncIterable<string | Uint8Array>,
  form: StreamForm,
): Promise<FastifyReply> {
  reply.hijack()
  const response = reply.raw
  response.on('error', (error) => logger.debug({ path: route.path, error }, 'stream broke'))
  response.writeHead(route.status, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': mediaType,
    'cache-control': 'no-store',
    ...form.headers,
  })
  response.flushHeaders()
  try {
    if (form.first !== undefined) response.write(form.first)
    await sendStream(response, chunks, signal)
    response.end()
  } catch (error) {
    const known = toAppError(error)
    const requestId = reply.request.id
    if (known.kind === 'internal')
      logger.error({ path: route.path, requestId, error: known.cause ?? known }, 'stream failed')
    if (form.onFailure === undefined) response.destroy()
    else response.end(form.onFailure(toProblem(known, requestId)))
  }
  return reply
}

/** What leaves is cut to the declared shape; a handler that breaks its own contract is our failure, not the caller's. */
function outgoing(schema: z.ZodType | null, value: unknown): unknown {
  if (schema === null) return value
  try {
    return parseWith(schema, value, 'answer')
  } catch (cause) {
    throw new Error('the answer does not fit its contract', { cause })
  }
}
