export const defaultOutputCap = 10 * 1_048_576
const largestTail = 1_048_576

/**
 * Keeps the head and the tail of a stream of bytes. The head is passed on as it comes; what follows is held in a ring, of
 * 1 MiB or half the cap, until the end shows which part of it is the tail. Memory is bounded, however long the stream.
 */
export class CappedOutput {
  readonly #emit: (chunk: Uint8Array) => void | Promise<void>
  readonly #headBytes: number
  readonly #tailBytes: number
  #headLeft: number
  #ring: Buffer | null = null
  #beyond = 0

  /**
   * @param emit is given views of the chunks, not copies
   * @param cap bytes kept in all. Default 10 MiB.
   */
  constructor(emit: (chunk: Uint8Array) => void | Promise<void>, cap: number = defaultOutputCap) {
    this.#emit = emit
    this.#tailBytes = Math.min(largestTail, Math.floor(cap / 2))
    this.#headBytes = cap - this.#tailBytes
    this.#headLeft = this.#headBytes
  }

  write(chunk: Uint8Array): void | Promise<void> {
    const head = chunk.subarray(0, this.#headLeft)
    this.#headLeft -= head.length
    if (head.length < chunk.length) this.#hold(chunk.subarray(head.length))
    if (head.length > 0) return this.#emit(head)
  }

  /** Passes on the tail, after a line that says how much is missing. */
  async finish(): Promise<void> {
    if (this.leftOut > 0) await this.#emit(Buffer.from(`\n[leanvibe: ${this.leftOut} bytes left out]\n`))
    const ring = this.#ring
    this.#ring = null
    if (ring === null) return
    const turn = this.#beyond > this.#tailBytes ? this.#beyond % this.#tailBytes : 0
    if (turn > 0) await this.#emit(ring.subarray(turn))
    await this.#emit(ring.subarray(0, turn > 0 ? turn : Math.min(this.#beyond, this.#tailBytes)))
  }

  /** Bytes that were dropped so far. */
  get leftOut(): number {
    return Math.max(0, this.#beyond - this.#tailBytes)
  }

  #hold(chunk: Uint8Array): void {
    if (this.#tailBytes > 0) {
      this.#ring ??= Buffer.allocUnsafeSlow(this.#tailBytes)
      const kept = chunk.subarray(Math.max(0, chunk.length - this.#tailBytes))
      const at = (this.#beyond + chunk.length - kept.length) % this.#tailBytes
      const first = kept.subarray(0, this.#tailBytes - at)
      this.#ring.set(first, at)
      this.#ring.set(kept.subarray(first.length), 0)
    }
    this.#beyond += chunk.length
  }
}
