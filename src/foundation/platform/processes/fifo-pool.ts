import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { processErrors } from './process-errors.ts'

const run = promisify(execFile)
const batch = 32

/** Named pipes, made by mkfifo(1) a batch at a time, because Node has no call for it. */
export class FifoPool {
  readonly #folder: string
  #ready: string[] = []
  #making: Promise<void> | null = null
  #made = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Paths of `count` fresh pipes; whoever takes them removes them. */
  async take(count: number): Promise<string[]> {
    while (this.#ready.length < count) await this.#make()
    const taken = this.#ready.splice(0, count)
    if (this.#ready.length < batch / 2) this.#make().catch(() => {})
    return taken
  }

  /** Removes the pipes that nobody took. */
  dispose(): void {
    for (const path of this.#ready.splice(0)) rmSync(path, { force: true })
  }

  #make(): Promise<void> {
    this.#making ??= this.#makeBatch().finally(() => {
      this.#making = null
    })
    return this.#making
  }

  async #makeBatch(): Promise<void> {
    const paths = Array.from({ length: batch }, () => join(this.#folder, `pipe-${++this.#made}`))
    try {
      await run('mkfifo', ['-m', '600', ...paths], { env: { PATH: '/usr/bin:/bin:/run/current-system/sw/bin' } })
    } catch (cause) {
      throw processErrors['host-exhausted'](`named pipes cannot be made in ${this.#folder}`, { cause })
    }
    this.#ready.push(...paths)
  }
}
