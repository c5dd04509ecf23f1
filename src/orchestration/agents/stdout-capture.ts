import { type FileHandle, open, readFile } from 'node:fs/promises'
import { agentErrors } from '../runners/attempt-errors-contract.ts'

/** Keeps what a command prints, for its outputs: in memory while it is small, then in a file. */
export class StdoutCapture {
  readonly #path: string
  readonly #memoryBytes: number
  readonly #mostBytes: number
  #chunks: Buffer[] = []
  #file: FileHandle | null = null
  #bytes = 0

  /** @param mostBytes beyond, nothing is kept and reading the text fails */
  constructor(path: string, memoryBytes: number, mostBytes: number) {
    this.#path = path
    this.#memoryBytes = memoryBytes
    this.#mostBytes = mostBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Where it is, once it no longer fits into memory. */
  get path(): string | null {
    return this.#file === null ? null : this.#path
  }

  write(chunk: Buffer): void | Promise<void> {
    this.#bytes += chunk.length
    if (this.#bytes > this.#mostBytes) return
    if (this.#bytes > this.#memoryBytes) return this.#writeFile(chunk)
    this.#chunks.push(Buffer.from(chunk))
  }

  async #writeFile(chunk: Buffer): Promise<void> {
    if (this.#file === null) {
      this.#file = await open(this.#path, 'w', 0o600)
      for (const held of this.#chunks) await this.#file.write(held)
      this.#chunks = []
    }
    await this.#file.write(chunk)
  }

  /** @throws output-too-large */
  async text(): Promise<string> {
    this.refuseTooLarge()
    return this.#file === null ? Buffer.concat(this.#chunks).toString('utf8') : readFile(this.#path, 'utf8')
  }

  /** @throws output-too-large */
  refuseTooLarge(): void {
    if (this.#bytes > this.#mostBytes) {
      throw agentErrors['output-too-large'](`it printed ${this.#bytes} bytes; outputs may have ${this.#mostBytes}`)
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }
}
