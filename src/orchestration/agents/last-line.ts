const keptBytes = 2_000
const shownCharacters = 300

/** Remembers the end of a stream: the last line that says something usually tells why a command failed. */
export class LastLine {
  readonly #skipped: RegExp | null
  #tail: Buffer = Buffer.alloc(0)

  /** @param skipped lines that say nothing of what is wrong */
  constructor(skipped: RegExp | null = null) {
    this.#skipped = skipped
  }

  write(chunk: Buffer): void {
    const joined = chunk.length >= keptBytes ? chunk : Buffer.concat([this.#tail, chunk])
    this.#tail = Buffer.from(joined.subarray(Math.max(0, joined.length - keptBytes)))
  }

  get text(): string {
    const lines = this.#tail
      .toString('utf8')
      .split(/[\r\n]+/)
      .map((line) => line.trim())
    return lines.findLast((line) => line !== '' && this.#skipped?.test(line) !== true)?.slice(0, shownCharacters) ?? ''
  }
}
