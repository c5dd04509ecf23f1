import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { processErrors } from './process-errors.ts'

const run = promisify(execFile)
const batch = 32

/** Named pipes, made by mkfifo(1) a batch at a time, because Node has no call for it. */
export class FifoPool {
  readonly #folder: string
  /** Used where the first folder lies on a disk that knows no pipes. */
  #substitute: string | null = null
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
    if (this.#substitute !== null) rmSync(this.#substitute, { recursive: true, force: true })
  }

  #make(): Promise<void> {
    this.#making ??= this.#makeBatch().finally(() => {
      this.#making = null
    })
    return this.#making
  }

  async #makeBatch(): Promise<void> {
    const folder = this.#substitute ?? this.#folder
    const paths = Array.from({ length: batch }, () => join(folder, `pipe-${++this.#made}`))
    try {
      await run('mkfifo', ['-m', '600', ...paths], { env: { PATH: '/usr/bin:/bin:/run/current-system/sw/bin' } })
    } catch (cause) {
      if (this.#substitute !== null) {
        throw processErrors['host-exhausted'](`named pipes can be made neither in ${this.#folder} nor in ${folder}`, {
          cause,
        })
      }
      this.#substitute = mkdtempSync(join(tmpdir(), 'leanvibe-pipes-'))
      return this.#makeBatch()
    }
    this.#ready.push(...paths)
  }
}
