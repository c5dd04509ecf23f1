import type { Writable } from 'node:stream'
import { ndJsonStream, type Stream } from '@agentclientprotocol/sdk'
import { PendingWork } from '../sessions/pending-work.ts'

/** A message may have this many bytes: the content of a large file, written in one piece. */
const mostMessageBytes = 32 * 1_048_576

/** The two ends of an agent's standard input and output as a stream of messages; the agent waits while we are busy. */
export class AcpTransport {
  readonly #work = new PendingWork()
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #closed = false
  readonly #input: ReadableStream<Uint8Array>

  constructor() {
    this.#input = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
      },
      cancel: () => {
        this.#closed = true
      },
    })
  }

  /** What the agent prints. */
  take(chunk: Buffer): void | Promise<void> {
    if (this.#closed) return
    this.#controller!.enqueue(Uint8Array.from(chunk))
    return this.#work.pace()
  }

  /** Work on a message that the agent must not run away from. */
  follow(work: void | Promise<void>): void {
    this.#work.follow(work)
  }

  /** The agent is gone. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#controller!.close()
  }

  stream(stdin: Writable): Stream {
    const output = new WritableStream<Uint8Array>({
      write: (bytes) =>
        new Promise<void>((resolve, reject) => {
          stdin.write(bytes, (error) => (error ? reject(error) : resolve()))
        }),
    })
    return ndJsonStream(output, this.#input, { maxMessageBytes: mostMessageBytes })
  }
}
