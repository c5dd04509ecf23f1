import type { Writable } from 'node:stream'
import { type JSONRPCMessage, parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/client'
import { PendingWork } from '../sessions/pending-work.ts'

/** A message may have this many bytes: a file in one piece. */
const mostMessageBytes = 32 * 1_048_576

export interface ProcessTransportOptions {
  /** A line that is no message: many servers greet on their standard output. */
  readonly onNoise: (line: string) => void
  /** It has broken the protocol; nothing more is read. */
  readonly onBreach: (message: string) => void
}

/** The messages of an MCP server on its standard input and output, one a line; it waits while we are busy. */
export class ProcessTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport['onmessage']
  readonly #options: ProcessTransportOptions
  readonly #work = new PendingWork()
  #stdin: Writable | null = null
  #held: Buffer[] = []
  #heldBytes = 0
  #closed = false

  constructor(options: ProcessTransportOptions) {
    this.#options = options
  }

  attach(stdin: Writable): void {
    this.#stdin = stdin
    // Of a server that is gone the end of its process tells.
    stdin.on('error', () => {})
  }

  async start(): Promise<void> {}

  /** What the server prints. The bytes are copied. */
  take(chunk: Buffer): void | Promise<void> {
    let rest = chunk
    for (let end = rest.indexOf(10); end !== -1 && !this.#closed; end = rest.indexOf(10)) {
      const line = Buffer.concat([...this.#held, rest.subarray(0, end)]).toString('utf8')
      this.#held = []
      this.#heldBytes = 0
      rest = rest.subarray(end + 1)
      this.#read(line)
    }
    if (this.#closed) return
    if (rest.length > 0) this.#held.push(Buffer.from(rest))
    this.#heldBytes += rest.length
    if (this.#heldBytes > mostMessageBytes) {
      return this.#breach(`it sent a message of more than ${mostMessageBytes} bytes`)
    }
    return this.#work.pace()
  }

  /** Work on a message that the server must not run away from. */
  follow(work: void | Promise<void>): void {
    this.#work.follow(work)
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#stdin
    if (this.#closed || stdin === null) throw new Error('the connection is closed')
    await new Promise<void>((resolve, reject) => {
      stdin.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()))
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#held = []
    this.onclose?.()
  }

  #read(text: string): void {
    const line = text.trim()
    if (line === '') return
    if (!line.startsWith('{') && !line.startsWith('[')) {
      this.#options.onNoise(line)
      return
    }
    let message: JSONRPCMessage | null = null
    try {
      message = parseJSONRPCMessage(JSON.parse(line))
    } catch {
      this.#breach(`it sent what is no message of the protocol: ${line.slice(0, 200)}`)
    }
    if (message !== null) this.onmessage?.(message)
  }

  #breach(message: string): void {
    this.#options.onBreach(message)
    void this.close()
  }
}
