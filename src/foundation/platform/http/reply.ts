import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { parseWith } from '../../kernel/schema.ts'
import { type CompressionRule, chooseEncoding, compressedStream, isCompressible, leastBytes } from './compression.ts'
import type { ServerEvent } from './endpoint-contract.ts'
import { EncodedEvents, encodeEvent, heartbeat, withHeartbeat } from './event-stream.ts'
import type { HttpLogger } from './http-logger.ts'
import type { PreparedAnswer } from './idempotency.ts'
import { isKnown, tagOf } from './preconditions.ts'
import { toAppError, toProblem } from './problem.ts'
import type { ByteReply, PageReply, RelayReply, Route } from './route.ts'
import { addVary, mayCompress, sendPrepared } from './send-prepared.ts'
import { sendStream } from './send-stream.ts'

export interface Sending {
  readonly route: Route
  readonly result: unknown
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly signal: AbortSignal
  readonly heartbeatMs: number
  /** After so long without reading anything a client is cut off. */
  readonly stallMs: number
  readonly compression: CompressionRule
  readonly logger: HttpLogger
}

/** The answer of a `json` route, cut to its contract. */
export function prepareJson(route: Route, result: unknown): PreparedAnswer {
  if (route.output === null) return { status: 204, headers: {}, body: null }
  const value = outgoing(route.output, result)
  const body = JSON.stringify(value)
  return {
    status: route.status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...validators(route, value, body) },
    body,
  }
}

function validators({ method, revision, cache }: Route, value: unknown, body: string): Record<string, string> {
  if (revision !== null) {
    const etag = tagOf(String((value as Record<string, unknown>)[revision]))
    return { etag, 'cache-control': method === 'GET' ? 'private, no-cache' : 'no-store' }
  }
  return { 'cache-control': cacheControl(method, cache), ...(cache === 'none' ? {} : { etag: digestTag(body) }) }
}

function cacheControl(method: string, cache: Route['cache']): string {
  if (method !== 'GET' || cache === 'none') return 'no-store'
  return cache === 'revalidate' ? 'private, no-cache' : `public, max-age=${cache}`
}

function digestTag(body: string | Uint8Array): string {
  return `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
}

/** Sends what a handler returned, in the form its route declared. */
export async function sendReply(sending: Sending): Promise<FastifyReply> {
  const { route, result, reply } = sending
  switch (route.reply) {
    case 'json':
      return sendJson(sending, prepareJson(route, result))
    case 'page':
      return sendPage(sending, result as PageReply)
    case 'lines':
      return stream(
        sending,
        'application/x-ndjson; charset=utf-8',
        lines(route.output, result as AsyncIterable<unknown>),
        { onFailure: (problem) => `${JSON.stringify({ problem })}\n` },
      )
    case 'events':
      return stream(sending, 'text/event-stream; charset=utf-8', events(sending), {
        headers: { 'x-accel-buffering': 'no' },
        first: heartbeat,
        onFailure: (problem) => encodeEvent({ event: 'problem', data: problem }),
      })
    case 'bytes':
      return bytes(sending, result as ByteReply)
    case 'relay':
      return relay(sending, result as RelayReply)
    case 'socket':
      return reply
  }
}

/** A client that has the answer already gets 304 instead. */
export function sendJson({ route, request, reply, compression }: Sending, answer: PreparedAnswer) {
  const { etag } = answer.headers
  if (route.method === 'GET' && etag !== undefined && isKnown(request.headers['if-none-match'], etag)) {
    return reply.headers(answer.headers).removeHeader('content-type').code(304).send()
  }
  return sendPrepared(request, reply, answer, route.secret ? 'never' : compression)
}

function sendPage(sending: Sending, { mediaType, body, policy }: PageReply) {
  const cache = sending.route.cache
  const text = typeof body === 'string' ? body : Buffer.from(body).toString()
  return sendJson(sending, {
    status: 200,
    headers: {
      'content-type': mediaType,
      'content-security-policy':
        policy ?? "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'cache-control': cacheControl('GET', cache === 'none' ? 'revalidate' : cache),
      etag: digestTag(text),
    },
    body: text,
  })
}

async function* lines(output: z.ZodType | null, items: AsyncIterable<unknown>): AsyncGenerator<string | Uint8Array> {
  for await (const item of items) {
    yield item instanceof EncodedEvents ? item.bytes : `${JSON.stringify(outgoing(output, item))}\n`
  }
}

async function* events({ route, result, heartbeatMs, signal }: Sending): AsyncGenerator<string | Uint8Array> {
  const source = result as AsyncIterable<ServerEvent<unknown> | EncodedEvents>
  for await (const item of withHeartbeat(source, heartbeatMs, null, signal)) {
    if (item === null) yield heartbeat
    else if (item instanceof EncodedEvents) yield item.bytes
    else yield encodeEvent({ ...item, data: outgoing(route.output, item.data) })
  }
}

async function bytes(sending: Sending, content: ByteReply): Promise<FastifyReply> {
  const { reply } = sending
  const name = encodeURIComponent(content.fileName ?? 'content').replaceAll("'", '%27')
  const headers: Record<string, string> = {
    'content-disposition': `attachment; filename*=UTF-8''${name}`,
    'content-security-policy': "default-src 'none'; sandbox",
  }
  if (typeof content.body === 'string' || content.body instanceof Uint8Array) {
    return reply
      .headers({ ...headers, 'cache-control': 'no-store' })
      .type(content.mediaType)
      .send(Buffer.from(content.body as Uint8Array))
  }
  const whole = content.bytes === undefined ? {} : { whole: content.bytes }
  return stream(sending, content.mediaType, content.body, { headers, ...whole })
}

/** Never compressed: that would hold back what has come already. */
async function relay(sending: Sending, { status, headers, body }: RelayReply): Promise<FastifyReply> {
  const { reply } = sending
  const all = { 'cache-control': 'no-store', ...headers }
  if (typeof body === 'string' || body instanceof Uint8Array) {
    return reply
      .headers(all)
      .code(status)
      .send(Buffer.from(body as Uint8Array))
  }
  return stream(sending, headers['content-type'] ?? 'application/octet-stream', body, {
    ...{ status, plain: true },
    headers: { 'x-accel-buffering': 'no', ...all },
  })
}

interface StreamForm {
  /** Default: that of the route. */
  readonly status?: number
  readonly plain?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly first?: string
  /** Bytes of all of it, where they are known. */
  readonly whole?: number
  /** How a failure after the first byte is told; without it the connection is cut, so that nobody takes the part for the whole. */
  readonly onFailure?: (problem: object) => string
}

async function stream(
  sending: Sending,
  mediaType: string,
  chunks: AsyncIterable<string | Uint8Array>,
  form: StreamForm,
): Promise<FastifyReply> {
  const { route, reply, signal, logger, stallMs } = sending
  reply.hijack()
  const response = reply.raw
  response.on('error', (error) => logger.debug({ path: route.path, error }, 'stream broke'))
  const mayZip = form.plain !== true && mayBeZipped(sending, mediaType, form)
  if (mayZip) addVary(reply, 'accept-encoding')
  const zipped = mayZip && chooseEncoding(sending.request.headers['accept-encoding'], ['gzip']) !== null
  response.writeHead(form.status ?? route.status, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': mediaType,
    'cache-control': 'no-store',
    ...form.headers,
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    ...(zipped || form.whole === undefined ? {} : { 'content-length': String(form.whole) }),
  })
  response.flushHeaders()
  const sink = zipped ? compressedStream(response) : response
  try {
    if (form.first !== undefined) sink.write(form.first)
    await sendStream(sink, chunks, signal, stallMs)
    sink.end()
  } catch (error) {
    fail(sending, error, response, sink, form.onFailure)
  }
  return reply
}

function fail(
  { route, reply, logger }: Sending,
  error: unknown,
  response: ServerResponse,
  sink: Writable,
  tell: StreamForm['onFailure'],
): void {
  const known = toAppError(error)
  const requestId = reply.request.id
  if (known.kind === 'internal')
    logger.error({ path: route.path, requestId, error: known.cause ?? known }, 'stream failed')
  if (tell === undefined) response.destroy()
  else sink.end(tell(toProblem(known, requestId)))
}

function mayBeZipped({ request, compression }: Sending, mediaType: string, { whole }: StreamForm): boolean {
  const isLong = whole === undefined || whole >= leastBytes
  return isLong && mayCompress(request, compression) && isCompressible(mediaType)
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
