import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { FifoPool } from './fifo-pool.ts'
import { processErrors } from './process-errors.ts'
import { ProcessJournal } from './process-journal.ts'
import { markerVariable, type ProcessTable } from './process-table.ts'
import {
  type GoneReply,
  jsonLines,
  type SpawnRequest,
  type SupervisorReply,
  type SupervisorRequest,
  type SupervisorSettings,
  type UsageSample,
} from './supervisor-protocol.ts'
import { endMarked } from './sweep-leftovers.ts'
import { processScope } from './system-process-table.ts'

export interface SupervisorOptions {
  /** Folder for journals and pipes; made when missing. On a local disk. */
  readonly folder: string
  /** Value of `LEANVIBE_ATTEMPT` in our own environment, when we run inside an attempt ourselves. Default none. */
  readonly parentMarker?: string
  /** From SIGTERM to SIGKILL for what runs when this process dies. Default 1,000. */
  readonly orphanGraceMs?: number
  /** Failpoints to arm in the first supervisor; one that takes the place of a lost one has none. Default none. */
  readonly failpoints?: string
}

/** What happens to one command, told by the supervisor. `gone` is told once, with null when the supervisor was lost. */
export interface AttemptEvents {
  started(pid: number): void
  refused(error: Error): void
  sampled(sample: UsageSample): void
  gone(reply: GoneReply | null, survivors: number): void
}

const readyWithinMs = 30_000

/** One running supervisor and the conversation with it. */
export class SupervisorLink {
  readonly pipes: FifoPool
  readonly folder: string
  /** Resolves when the supervisor has ended, for whatever reason, and what it left was dealt with. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #stdin: Writable
  readonly #table: ProcessTable
  readonly #attempts = new Map<
    number,
    { readonly marker: string; readonly events: AttemptEvents; main: { pid: number; start: string } | null }
  >()
  #ready: (() => void) | null = null
  #open = true
  #lastWords = ''

  static async open(options: SupervisorOptions, table: ProcessTable, signal?: AbortSignal): Promise<SupervisorLink> {
    signal?.throwIfAborted()
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    const folder = mkdtempSync(join(options.folder, 'supervisor-'))
    const link = new SupervisorLink(options, folder, table)
    const ready = new Promise<void>((resolve) => {
      link.#ready = resolve
    })
    const timer = setTimeout(() => link.#child.kill('SIGKILL'), readyWithinMs)
    await Promise.race([ready, link.ended])
    clearTimeout(timer)
    if (link.#open) return link
    throw processErrors['supervisor-lost'](`the supervisor did not start: ${link.#lastWords}`)
  }

  private constructor(options: SupervisorOptions, folder: string, table: ProcessTable) {
    this.folder = folder
    this.pipes = new FifoPool(folder)
    this.#table = table
    const runner = { pid: process.pid, start: table.find(process.pid)?.start ?? '' }
    const journal = join(folder, 'journal.ndjson')
    new ProcessJournal(journal, { supervisor: null, runner, scope: processScope() }).dispose()
    const settings: SupervisorSettings = {
      journal,
      runner,
      orphanGraceMs: options.orphanGraceMs ?? 1_000,
      failpoints: options.failpoints ?? '',
    }
    const log = openSync(join(folder, 'supervisor.log'), 'a', 0o600)
    this.#child = spawn(process.execPath, [...nodeFlags, programPath(), JSON.stringify(settings)], {
      cwd: folder,
      // A session of its own: what ends the terminal of the runner does not end the supervisor.
      detached: true,
      env: options.parentMarker === undefined ? {} : { [markerVariable]: options.parentMarker },
      stdio: ['pipe', 'pipe', log],
    })
    closeSync(log)
    this.#stdin = this.#child.stdin!
    const closed = new Promise<void>((resolve) => {
      this.#child.on('error', () => resolve())
      this.#child.on('close', () => resolve())
    })
    // Its end is told by 'close'.
    this.#stdin.on('error', () => {})
    this.#child.stdout!.on(
      'data',
      jsonLines<SupervisorReply>((reply) => this.#onReply(reply)),
    )
    this.ended = closed.then(() => this.#onEnd())
  }

  get open(): boolean {
    return this.#open
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  start(request: SpawnRequest, events: AttemptEvents): void {
    this.#attempts.set(request.id, { marker: request.marker, events, main: null })
    this.#send(request)
  }

  stop(id: number, graceMs: number): void {
    this.#send({ type: 'stop', id, graceMs })
  }

  /** Asks the supervisor to end everything and leave. */
  async close(): Promise<void> {
    this.#stdin.end()
    await this.ended
  }

  #send(request: SupervisorRequest): void {
    if (this.#open) this.#stdin.write(`${JSON.stringify(request)}\n`)
  }

  #onReply(reply: SupervisorReply): void {
    if (reply.type === 'ready') this.#ready?.()
    if (reply.type === 'samples') {
      for (const sample of reply.samples) this.#attempts.get(sample.id)?.events.sampled(sample)
    }
    if (!('id' in reply)) return
    const attempt = this.#attempts.get(reply.id)
    if (attempt === undefined) return
    if (reply.type === 'started') {
      attempt.main = { pid: reply.pid, start: reply.start }
      attempt.events.started(reply.pid)
    }
    if (reply.type === 'refused') {
      this.#attempts.delete(reply.id)
      attempt.events.refused(processErrors[reply.code](reply.message))
    }
    if (reply.type === 'gone') {
      this.#attempts.delete(reply.id)
      attempt.events.gone(reply, reply.survivors)
    }
  }

  async #onEnd(): Promise<void> {
    this.#open = false
    this.#lastWords = readFileSync(join(this.folder, 'supervisor.log'), 'utf8').trim().slice(-2_000)
    this.pipes.dispose()
    const left = [...this.#attempts.values()]
    this.#attempts.clear()
    let survivors = 0
    if (left.length > 0) {
      const ended = await endMarked(left, this.#table)
      for (const attempt of left) {
        const alive = ended.survivors.filter((one) => one.marker === attempt.marker).length
        survivors += alive
        if (attempt.main === null) {
          attempt.events.refused(processErrors['supervisor-lost'](`the supervisor ended: ${this.#lastWords}`))
        } else {
          attempt.events.gone(null, alive)
        }
      }
    }
    // With survivors the journal stays, for the next start to look again.
    if (survivors === 0) rmSync(this.folder, { recursive: true, force: true })
  }
}

const fromSource = import.meta.url.endsWith('.ts')
/** Memory before speed: there is little to compute. Stripping types needs WebAssembly, which the lite mode does without. */
const nodeFlags = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=1',
  ...(fromSource ? [] : ['--lite-mode']),
]

/** Source in development, JavaScript in the package: the file beside this one, with the same ending. */
function programPath(): string {
  return fileURLToPath(new URL(`./supervisor-main${fromSource ? '.ts' : '.js'}`, import.meta.url))
}
