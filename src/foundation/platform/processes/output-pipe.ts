import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'

const bufferBytes = 65_536
const quietMs = 250
const longestDrainMs = 3_000

/**
 * Takes what a command prints. The chunk is valid until it returns, or until its promise settles: reading pauses so long,
 * and with it, once the pipe is full, the command.
 */
export type OnOutput = (chunk: Buffer) => void | Promise<void>

/** The reading end of a named pipe that a command writes to. */
export class OutputPipe {
  readonly #file: number
  readonly #onOutput: OnOutput
  #socket: Socket | null = null
  #paused = false
  #bytes = 0
  #failure: unknown = null

  /** Opens the pipe, before its writer does. */
  constructor(path: string, onOutput: OnOutput) {
    this.#file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.#onOutput = onOutput
  }

  /** Starts to read. Only once the writer has opened its end: before, the pipe would seem to be at its end. */
  read(): void {
    const buffer = Buffer.allocUnsafeSlow(bufferBytes)
    // With a buffer of our own nothing is allocated per read, however much the command prints.
    const options = { buffer, callback: (bytes: number) => this.#take(buffer.subarray(0, bytes)) }
    this.#socket = new Socket({ fd: this.#file, readable: true, writable: false, onread: options } as object)
    this.#socket.on('error', (error) => {
      this.#failure = error
    })
    this.#socket.resume()
  }

  /**
   * Waits for the end, once the writers should be gone. A process that escaped unseen may hold the pipe open for ever, so
   * reading ends when nothing has come for a moment.
   * @throws what the taker of the output threw
   */
  async finish(): Promise<void> {
    const socket = this.#socket ?? new Socket({ fd: this.#file })
    if (this.#socket === null) socket.destroy()
    let waited = 0
    for (let before = -1; !socket.closed && (this.#paused || (waited < longestDrainMs && before !== this.#bytes)); ) {
      before = this.#paused ? -1 : this.#bytes
      if (!this.#paused) waited += quietMs
      await closedWithin(socket, quietMs)
    }
    socket.destroy()
    if (this.#failure !== null) throw this.#failure
  }

  #take(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    try {
      const taken = this.#onOutput(chunk)
      if (!(taken instanceof Promise)) return true
      this.#paused = true
      taken.then(
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
    this.#paused = false
    this.#socket?.resume()
  }

  #fail(error: unknown): void {
    this.#paused = false
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
