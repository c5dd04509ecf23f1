import { StringDecoder } from 'node:string_decoder'

/** One server-sent event as it came, with the blank line that ends it. */
export interface StreamEvent {
  readonly text: string
  /** Its `data` lines, joined. */
  readonly data: string
}

const mostHeld = 16 * 1_048_576

/** Cuts a stream of server-sent events into its events, wherever the chunks are cut. */
export class EventSplitter {
  readonly #decoder = new StringDecoder('utf8')
  #held = ''

  /** The events that are complete now. Throws where one grows beyond 16 MiB. */
  push(chunk: Uint8Array): readonly StreamEvent[] {
    this.#held += this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    const events: StreamEvent[] = []
    let start = 0
    const ends = /\r\n\r\n|\n\n|\r\r/g
    for (let end = ends.exec(this.#held); end !== null; end = ends.exec(this.#held)) {
      const text = this.#held.slice(start, ends.lastIndex)
      start = ends.lastIndex
      events.push({ text, data: dataOf(text) })
    }
    this.#held = this.#held.slice(start)
    if (this.#held.length > mostHeld) throw new Error('an event of the stream is too long')
    return events
  }

  /** What came without an end. */
  rest(): string {
    const text = this.#held + this.#decoder.end()
    this.#held = ''
    return text
  }
}

export function dataOf(text: string): string {
  const lines = text.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:'))
  return lines.map((line) => line.slice(line.startsWith('data: ') ? 6 : 5)).join('\n')
}
