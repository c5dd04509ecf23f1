import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Cli, CrashPlace, type End } from '../crash/crash-place.ts'
import { documentsOf } from '../support/run-cli.ts'
import { startWireProxy, type WireProxy } from '../support/wire-proxy.ts'

const preload = fileURLToPath(new URL('shift-clock.mjs', import.meta.url))

export interface Api {
  readonly url: string
  readonly token: string
}

/**
 * One `serve` or `work` of the fleet: a machine with a data folder, a wall clock and a network cable of its own. It is
 * started again whenever it has gone.
 */
export class FleetProcess {
  readonly name: string
  readonly kind: 'serve' | 'work'
  readonly place: CrashPlace
  readonly proxy: WireProxy
  readonly #url: string
  readonly #args: readonly string[]
  #cli: Cli | null = null
  #stopped = false
  #complaints = ''

  private constructor(name: string, kind: 'serve' | 'work', proxy: WireProxy, url: string, args: readonly string[]) {
    this.name = name
    this.kind = kind
    this.place = new CrashPlace(`chaos-${name}`)
    this.proxy = proxy
    this.#args = args
    this.#url = Object.assign(new URL(url), { port: String(proxy.port) }).href
  }

  static async create(
    name: string,
    kind: 'serve' | 'work',
    database: { readonly url: string; readonly port: number },
    args: readonly string[],
  ): Promise<FleetProcess> {
    return new FleetProcess(name, kind, await startWireProxy(database.port), database.url, args)
  }

  /** Starts it and waits until it is up, or gone. */
  async start(): Promise<void> {
    const cli = this.place.cli([this.kind, ...this.#args], {
      env: {
        DATABASE_URL: this.#url,
        NODE_OPTIONS: `--import=${preload}`,
        CHAOS_CLOCK: join(this.place.folder, 'clock'),
      },
      timeoutMs: 3_600_000,
    })
    this.#cli = cli
    cli.child.stderr!.on('data', (text: string) => {
      this.#complaints += text
    })
    cli.child.once('exit', (code, signal) => {
      this.#complaints += `ended ${signal ?? code}\n`
    })
    await cli.spoke
    // What tells that it is up may not have arrived as a whole.
    while (!this.isUp && !this.isGone) await sleep(10)
  }

  get pid(): number {
    return this.#cli!.child.pid!
  }

  get isUp(): boolean {
    return this.#cli !== null && this.#cli.goneAt() === null && this.document(upTypes[this.kind]) !== undefined
  }

  get isGone(): boolean {
    return this.#cli === null || this.#cli.goneAt() !== null
  }

  /** The runner that this life has registered. */
  get runner(): string | null {
    const id = this.document('joined')?.runner
    return typeof id === 'string' ? id : null
  }

  document(type: string): Record<string, unknown> | undefined {
    return documentsOf(wholeLines(this.#cli?.stdout() ?? '')).find((one) => one.type === type)
  }

  /** Where its API is; null while there is none. */
  api(): Api | null {
    const listening = this.document('listening')
    if (listening === undefined || this.#cli?.goneAt() !== null) return null
    return { url: String(listening.localUrl), token: readFileSync(join(this.place.data, 'token'), 'utf8').trim() }
  }

  signal(signal: NodeJS.Signals): void {
    this.#cli?.child.kill(signal)
  }

  setClock(offsetMs: number): void {
    writeFileSync(join(this.place.folder, 'clock'), String(offsetMs))
    if (this.isUp) this.signal('SIGUSR2')
  }

  /** Kills it, and starts it again `afterMs` later. */
  async killAndRestart(afterMs: number): Promise<void> {
    const cli = this.#cli!
    this.signal('SIGKILL')
    await cli.ended
    await sleep(afterMs)
    if (!this.#stopped) await this.start()
  }

  /** Asks it to end, waits until it has, and returns how it ended. */
  async end(limitMs = 45_000): Promise<End> {
    this.#stopped = true
    this.signal('SIGTERM')
    const end = await Promise.race([this.#cli!.ended, sleep(limitMs, null, { ref: false })])
    if (end === null) throw new Error(`${this.name} has not ended ${limitMs} ms after it was asked to`)
    return end
  }

  /** What it said on standard error in all of its lives. */
  complaints(): string {
    return this.#complaints
  }

  async remove(): Promise<void> {
    this.#stopped = true
    this.signal('SIGCONT')
    this.signal('SIGKILL')
    await this.#cli?.ended
    await this.proxy.close()
    await this.place.remove()
  }
}

const upTypes = { serve: 'listening', work: 'joined' } as const

/** A document may not have arrived as a whole yet. */
function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

/** Makes the folder that the tasks of all machines leave their traces in. */
export function prepareTraces(folder: string): void {
  mkdirSync(join(folder, 'tried'), { recursive: true })
  writeFileSync(join(folder, 'effects'), '')
}
