import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { SessionContext } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'

const mostFiles = 200
const mostBytes = 64 * 1_048_576

/** Keeps the files that a remote agent sends, as artifacts of the attempt. */
export class PartFiles {
  readonly #context: SessionContext
  readonly #fetch: typeof globalThis.fetch
  readonly #kept = new Map<string, string>()
  #bytes = 0

  /** @param fetch for files that are told by their address: guarded, and without what the agent knows us by */
  constructor(context: SessionContext, fetch: typeof globalThis.fetch) {
    this.#context = context
    this.#fetch = fetch
  }

  /** @param key one file, however often it is told. Throws `agent-limit`. */
  async keep(key: string, name: string, content: Uint8Array): Promise<void> {
    if (this.#kept.has(key)) return
    this.#bytes += content.byteLength
    if (this.#kept.size >= mostFiles || this.#bytes > mostBytes) {
      throw sessionErrors['agent-limit'](`it sent more than ${mostFiles} files or ${mostBytes} bytes`)
    }
    const file = this.#free(name)
    this.#kept.set(key, file)
    await writeFile(join(this.#context.outdir, file), content)
    await this.#context.note(`file ${file}: ${content.byteLength} bytes`)
  }

  /** What cannot be had is told in the log; the task goes on. */
  async fetch(key: string, name: string, url: string): Promise<void> {
    if (this.#kept.has(key)) return
    try {
      const answer = await this.#fetch(url, { signal: this.#context.signal })
      if (!answer.ok) throw sessionErrors['agent-unreachable'](`it answers ${answer.status}`)
      await this.keep(key, name, new Uint8Array(await answer.arrayBuffer()))
    } catch (error) {
      if (!isAppError(error) || error.code === 'agent-limit') throw error
      this.#kept.set(key, '')
      await this.#context.note(`the file ${name} at ${url} is not kept: ${error.message}`)
    }
  }

  /** A name of its own in the folder, whatever the agent says. */
  #free(name: string): string {
    const plain = basename(name.replaceAll('\\', '/'))
      .replaceAll(/[^\w.-]/g, '_')
      .replace(/^\.+/, '')
      .slice(0, 100)
    const taken = new Set(this.#kept.values())
    const wanted = plain === '' ? 'file' : plain
    for (let n = 1; ; n++) {
      const candidate = n === 1 ? wanted : `${n}-${wanted}`
      if (!taken.has(candidate)) return candidate
    }
  }
}
