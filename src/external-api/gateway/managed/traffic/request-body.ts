import type { IncomingMessage } from 'node:http'
import { httpErrors } from '../../../../foundation/platform/http/http-errors.ts'

/** Bodies up to this size are read before they are sent on, so that they can be sent again. */
export const mostBuffered = 65_536

/** The bytes that a request says it carries; null where it does not say, 0 where it carries none. */
export function declaredLength({ headers }: IncomingMessage): number | null {
  if (headers['transfer-encoding'] !== undefined) return null
  return Number(headers['content-length'] ?? 0)
}

export function assertWithin(bytes: number, limit: number): void {
  if (bytes > limit) throw httpErrors['body-too-large'](`the body is over the ${limit} bytes of its route`)
}

/** All of a small body. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of streamBody(request, limit, () => {})) parts.push(part)
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/** A body as it arrives, as fast as it is taken. The request itself stays open, so that it can be answered. */
export async function* streamBody(
  request: IncomingMessage,
  limit: number,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += part.length
    assertWithin(bytes, limit)
    onBytes(part.length)
    yield part
  }
}
