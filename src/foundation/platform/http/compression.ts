import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import { brotliCompress, constants, createGzip, gzip } from 'node:zlib'

export type Encoding = 'br' | 'gzip'

/** `auto` spares peers on the same machine, to whom bytes cost nothing. */
export type CompressionRule = 'auto' | 'always' | 'never'

/** Smaller bodies are sent as they are: they fit into one packet. */
export const leastBytes = 1_024

const toBrotli = promisify(brotliCompress)
const toGzip = promisify(gzip)

/** The best of `offered` that `Accept-Encoding` allows, by its q-values; null for none. */
export function chooseEncoding(
  header: string | string[] | undefined,
  offered: readonly Encoding[] = ['br', 'gzip'],
): Encoding | null {
  const text = Array.isArray(header) ? header.join(',') : header
  if (text === undefined) return null
  const weights = new Map<string, number>()
  for (const part of text.split(',')) {
    const [name, ...parameters] = part.split(';').map((word) => word.trim().toLowerCase())
    const q = parameters.find((word) => word.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    if (name !== undefined && name !== '') weights.set(name, Number.isFinite(weight) ? weight : 0)
  }
  const weightOf = (name: string) => weights.get(name) ?? weights.get('*') ?? 0
  let best: Encoding | null = null
  for (const name of offered) {
    if (weightOf(name) > (best === null ? 0 : weightOf(best))) best = name
  }
  return best !== null && weightOf(best) >= (weights.get('identity') ?? 0) ? best : null
}

export async function compress(body: string, encoding: Encoding): Promise<Buffer> {
  if (encoding === 'gzip') return toGzip(body)
  // Quality 4 costs about what gzip does and saves more; the default of 11 takes a hundred times as long.
  return toBrotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })
}

/**
 * Where a stream writes to reach `response` compressed. Every chunk leaves at once, so that an event does not wait for the
 * next one. The window is small: a thousand streams would otherwise hold a quarter of a gigabyte.
 */
export function compressedStream(response: ServerResponse): Writable {
  const zip = createGzip({ flush: constants.Z_SYNC_FLUSH, windowBits: 12, memLevel: 5 })
  zip.pipe(response)
  response.once('close', () => zip.destroy())
  // A response that was cut takes the compressor with it; what went wrong is told where the response is watched.
  zip.on('error', () => response.destroy())
  return zip
}

/** Text in any form; images, archives and the like are compressed already. */
export function isCompressible(mediaType: string): boolean {
  return /^(text\/|application\/(json|x-ndjson|problem\+json|xml|javascript|yaml|.*\+(json|xml))|image\/svg\+xml)/i.test(
    mediaType,
  )
}
