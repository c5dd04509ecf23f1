import { constants, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'

const bufferBytes = 65_536
const longestQuietMs = 250
/** A pipe of Linux holds no more; whoever has written more since is still at it. */
const mostDrainedBytes = 1_048_576
const lookEveryMs = 25

/**
 * Takes what a command prints. The chunk is valid until it returns, or until its promise settles: reading pauses so long,
 * and with it, once the pipe is full, the command.
 */
export type OnOutput = (chunk: Buffer) => void | Promise<void>

/** The reading end of a named pipe that a command writes to. */
export class OutputPipe {
  readonly #file: number
  readonly #onOutput: OnOutput
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes)
  #socket: Socket | null = null
  #taking: Promise<void> | null = null
  #failure: unknown = null

  /** Opens the pipe, before its writer does. */
  constructor(path: string, onOutput: OnOutput) {
    this.#file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.#onOutput = onOutput
  }

  /** Starts to read. Only once the writer has opened its end: before, the pipe would seem to be at its end. */
  read(): void {
    // With a buffer of our own nothing is allocated per read, however much the command prints.
    const callback = (bytes: number) => this.#take(bytes)
    const onread = { buffer: this.#buffer, callback }
    this.#socket = new Socket({ fd: this.#file, readable: true, writable: false, onread } as object)
    this.#socket.on('error', (error) => {
      this.#failure ??= error
    })
    this.#socket.resume()
  }

  /**
   * Reads to the end, once the writers should be gone. A process that escaped unseen may hold the pipe open for ever, so
   * that reading ends, too, when the pipe has been empty for a moment.
   * @throws what the taker of the output threw
   */
  async finish(): Promise<void> {
    const socket = this.#socket ?? new Socket({ fd: this.#file })
    if (this.#socket !== null) await this.#drain(socket)
    socket.destroy()
    if (this.#failure !== null) throw this.#failure
  }

  /** Reads by itself, because a busy event loop may be long in coming round to it. */
  async #drain(socket: Socket): Promise<void> {
    let quietSince = performance.now()
    let drained = 0
    for (;;) {
      if (this.#taking !== null) {
        await this.#taking
        continue
      }
      if (socket.destroyed || this.#failure !== null) return
      const bytes = this.#readNow()
      drained += bytes ?? 0
      if (bytes === 0 || drained > mostDrainedBytes) return
      if (bytes !== null) quietSince = performance.now()
      else if (performance.now() - quietSince > longestQuietMs) return
      await closedWithin(socket, bytes === null ? lookEveryMs : 0)
    }
  }

  /** Bytes that were there; 0 at the end, null when there is nothing, but somebody may still write. */
  #readNow(): number | null {
    try {
      const bytes = readSync(this.#file, this.#buffer)
      if (bytes > 0) this.#take(bytes)
      return bytes
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null
      throw error
    }
  }

  #take(bytes: number): boolean {
    try {
      const taken = this.#onOutput(this.#buffer.subarray(0, bytes))
      if (!(taken instanceof Promise)) return true
      this.#taking = taken.then(
        () => this.#goOn(),
        (error) => this.#fail(error),
      )
      return false
    } catch (error) {
      this.#fail(error)
      return false
    }
  }

  #goOn(): void {
    this.#taking = null
    this.#socket?.resume()
  }

  #fail(error: unknown): void {
    this.#taking = null
    this.#failure ??= error
    this.#socket?.destroy()
  }
}

function closedWithin(socket: Socket, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      socket.off('close', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    socket.once('close', done)
  })
}
