const newline = 10
/** A line may have this many bytes; what is longer is cut there. */
const mostBytes = 4 * 1_048_576

/** Cuts a stream of bytes into lines, without their ends. */
export class LineSplitter {
  #held: Buffer[] = []
  #bytes = 0

  write(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      lines.push(this.#take(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start === chunk.length) return lines
    this.#held.push(Buffer.from(chunk.subarray(start)))
    this.#bytes += chunk.length - start
    if (this.#bytes >= mostBytes) lines.push(this.#take(Buffer.alloc(0)))
    return lines
  }

  /** What came after the last end of a line; null: nothing. */
  end(): Buffer | null {
    return this.#bytes === 0 ? null : this.#take(Buffer.alloc(0))
  }

  #take(last: Buffer): Buffer {
    const line = this.#bytes === 0 ? last : Buffer.concat([...this.#held, last])
    this.#held = []
    this.#bytes = 0
    return line
  }
}
