const keptBytes = 2_000
const shownCharacters = 300

/** Remembers the end of a stream: the last line that says something usually tells why a command failed. */
export class LastLine {
  #tail: Buffer = Buffer.alloc(0)

  write(chunk: Buffer): void {
    const joined = chunk.length >= keptBytes ? chunk : Buffer.concat([this.#tail, chunk])
    this.#tail = Buffer.from(joined.subarray(Math.max(0, joined.length - keptBytes)))
  }

  get text(): string {
    const lines = this.#tail
      .toString('utf8')
      .split(/[\r\n]+/)
      .map((line) => line.trim())
    return lines.findLast((line) => line !== '')?.slice(0, shownCharacters) ?? ''
  }
}
