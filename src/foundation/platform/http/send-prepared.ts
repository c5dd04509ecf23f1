import type { FastifyReply, FastifyRequest } from 'fastify'
import { type CompressionRule, chooseEncoding, compress, leastBytes } from './compression.ts'
import type { PreparedAnswer } from './idempotency.ts'

/** Sends an answer, compressed where that is wanted and pays. */
export async function sendPrepared(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, headers, body }: PreparedAnswer,
  rule: CompressionRule,
): Promise<FastifyReply> {
  reply.code(status).headers(headers)
  if (body === null) return reply.send()
  if (body.length >= leastBytes && mayCompress(request, rule)) {
    addVary(reply, 'accept-encoding')
    const encoding = chooseEncoding(request.headers['accept-encoding'])
    if (encoding !== null) return reply.header('content-encoding', encoding).send(await compress(body, encoding))
  }
  return reply.send(body)
}

/** Bytes cost nothing between processes of one machine; behind a proxy of it there is another client. */
export function mayCompress(request: FastifyRequest, rule: CompressionRule): boolean {
  if (rule !== 'auto') return rule === 'always'
  const peer = request.socket.remoteAddress ?? ''
  const local = peer === '::1' || peer.startsWith('127.') || peer.startsWith('::ffff:127.')
  return !local || request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined
}

/** Says that the answer depends on a header of the request. */
export function addVary(reply: FastifyReply, name: string): void {
  const present = reply.getHeader('vary')
  reply.header('vary', present === undefined ? name : `${String(present)}, ${name}`)
}
