import type { LogRow } from './log-store.ts'

/** A piece of output as text. Control characters are kept, they are data; bytes that are no UTF-8 became U+FFFD. */
export interface LogText extends Omit<LogRow, 'bytes'> {
  readonly text: string
}

/**
 * Decodes the output of many attempts that comes piece by piece. A character that is cut at the end of a piece waits for
 * the next piece of the same attempt and stream.
 */
export class LogDecoder {
  /** What waits, with the piece it ended. Nothing is held for streams that end with whole characters. */
  readonly #waiting = new Map<string, { readonly row: LogRow; readonly bytes: Uint8Array }>()
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  decode(row: LogRow): LogText {
    const key = `${row.taskId}/${row.fence}/${row.stream}`
    const before = this.#waiting.get(key)
    const bytes = before === undefined ? row.bytes : Buffer.concat([before.bytes, row.bytes])
    const cut = bytes.length - cutBytes(bytes)
    if (cut < bytes.length) this.#waiting.set(key, { row, bytes: Uint8Array.from(bytes.subarray(cut)) })
    else this.#waiting.delete(key)
    return this.#textOf(row, bytes.subarray(0, cut))
  }

  /** What still waits when nothing more will come: the beginnings of characters that were never finished. */
  end(): LogText[] {
    const rest = [...this.#waiting.values()].map(({ row, bytes }) => this.#textOf(row, bytes))
    this.#waiting.clear()
    return rest
  }

  #textOf({ taskId, fence, part, stream, at }: LogRow, bytes: Uint8Array): LogText {
    return { taskId, fence, part, stream, at, text: this.#decoder.decode(bytes) }
  }
}

/** How many bytes at the end may be the beginning of a character whose rest is still to come: 0 to 3. */
function cutBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if (byte >= 0xc0) return lengthOf(byte) > back ? back : 0
    if (byte < 0x80) return 0
  }
  return 0
}

/** The length of the character that a leading byte announces; 1 for bytes that begin none. */
function lengthOf(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2
  if (lead >= 0xe0 && lead <= 0xef) return 3
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 1
}
