import { createHash } from 'node:crypto'
import { blobErrors } from './blob-errors.ts'
import type { BlobContent, ByteRange, PutOptions, StoredBlob } from './blob-store.ts'

const defaultMaxBytes = 5 * 1_073_741_824

/** Content on its way in: counted, hashed, held to its limit, and ended when the caller gives up. */
export interface IncomingContent extends AsyncIterable<Uint8Array> {
  /** What has passed so far. Final once the iteration has ended. */
  summary(): StoredBlob
  /** Whether the error came from the source, or was ours about it, and not from where the content goes. */
  threw(error: unknown): boolean
}

export function receive(content: BlobContent, options: PutOptions = {}): IncomingContent {
  const hash = createHash('sha256')
  const maxBytes = options.maxBytes ?? defaultMaxBytes
  let bytes = 0
  let digest: string | undefined
  let thrown: { readonly error: unknown } | undefined
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for await (const chunk of content instanceof Uint8Array ? [content] : content) {
          options.signal?.throwIfAborted()
          bytes += chunk.byteLength
          if (bytes > maxBytes) throw blobErrors['blob-too-large'](`the content is larger than ${maxBytes} bytes`)
          hash.update(chunk)
          if (chunk.byteLength > 0) yield chunk
        }
        options.signal?.throwIfAborted()
      } catch (error) {
        thrown = { error }
        throw error
      }
    },
    threw: (error) => thrown !== undefined && thrown.error === error,
    summary() {
      digest ??= hash.digest('hex')
      return { bytes, sha256: digest }
    },
  }
}

/** Regroups chunks of any size into pieces of exactly `size` bytes, the last one excepted. Memory: one piece. */
export async function* inPieces(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    let rest = chunk
    while (heldBytes + rest.byteLength >= size) {
      const taken = rest.subarray(0, size - heldBytes)
      yield Buffer.concat([...held, taken])
      held = []
      heldBytes = 0
      rest = rest.subarray(taken.byteLength)
    }
    if (rest.byteLength > 0) {
      // The caller may use its buffer again.
      held.push(Uint8Array.from(rest))
      heldBytes += rest.byteLength
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held)
}

/** The first byte and the byte after the last one of `range` in content of `bytes` bytes. */
export function resolveRange(
  range: ByteRange | undefined,
  bytes: number,
): { readonly start: number; readonly end: number } {
  const start = range?.start ?? 0
  const end = Math.min(range?.end ?? bytes, bytes)
  const valid = Number.isSafeInteger(start) && start >= 0 && start <= end && (start < bytes || bytes === 0)
  if (!valid) {
    throw blobErrors['blob-range-invalid'](`bytes ${start} to ${range?.end ?? 'the last'} of ${bytes} were asked for`)
  }
  return { start, end }
}
