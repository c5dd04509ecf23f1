import { EventEmitter } from 'node:events'

/** AuthenticationOk and ReadyForQuery (idle): what a server says to a client that it trusts. */
const welcome = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49])
const terminate = 0x58

/**
 * Looks to the pg client like a socket to a server. What is written in one corked section leaves as one message. The
 * start-up packet is answered here, because PGlite has no connections to start.
 */
export class WorkerStream extends EventEmitter {
  readonly #post: (bytes: Uint8Array<ArrayBuffer>) => void
  #corked = 0
  #waiting: Uint8Array[] = []
  #started = false
  #closed = false

  constructor(post: (bytes: Uint8Array<ArrayBuffer>) => void) {
    super()
    this.#post = post
  }

  connect(): this {
    queueMicrotask(() => this.emit('connect'))
    return this
  }

  get writable(): boolean {
    return !this.#closed
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed) return false
    if (!this.#started) {
      this.#started = true
      queueMicrotask(() => this.receive(welcome))
      return true
    }
    if (bytes[0] === terminate) {
      queueMicrotask(() => this.destroy())
      return true
    }
    this.#waiting.push(bytes)
    if (this.#corked === 0) this.#flush()
    return true
  }

  cork(): void {
    this.#corked += 1
  }

  uncork(): void {
    this.#corked -= 1
    if (this.#corked === 0) this.#flush()
  }

  end(): this {
    queueMicrotask(() => this.destroy())
    return this
  }

  /** Ends the connection; the client fails what it still waits for. */
  destroy(error?: Error): this {
    if (this.#closed) return this
    this.#closed = true
    if (error) this.emit('error', error)
    this.emit('close')
    return this
  }

  /** Bytes from the worker. */
  receive(bytes: Buffer): void {
    if (!this.#closed) this.emit('data', bytes)
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    // A copy of its own: the parts may lie in a pool, and the buffer is handed over to the worker.
    const bytes = new Uint8Array(this.#waiting.reduce((size, part) => size + part.length, 0))
    let at = 0
    for (const part of this.#waiting) {
      bytes.set(part, at)
      at += part.length
    }
    this.#waiting = []
    this.#post(bytes)
  }
}
