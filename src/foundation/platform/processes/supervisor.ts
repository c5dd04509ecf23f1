import { constants, openSync, rmSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { failpoint } from '../../kernel/failpoints.ts'
import { type OnOutput, OutputPipe } from './output-pipe.ts'
import { processErrors } from './process-errors.ts'
import type { LimitBreach, ProcessLimits } from './process-limits.ts'
import { markerVariable } from './process-table.ts'
import type { ProcessUsage } from './process-usage.ts'
import { SupervisorLink, type SupervisorOptions } from './supervisor-link.ts'
import type { UsageSample } from './supervisor-protocol.ts'
import { systemProcessTable } from './system-process-table.ts'

export interface StartProcess {
  /** Names the attempt, on the whole machine: letters, digits, dots, dashes, underscores. */
  readonly marker: string
  readonly file: string
  readonly args: readonly string[]
  /** The complete environment; nothing is inherited, only the marker is added. `file` is looked up on its PATH. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Default `none`. Text and bytes are laid down in a file first, so that nothing has to wait for a slow reader. */
  readonly stdin?: 'none' | 'pipe' | { readonly content: string | Uint8Array }
  readonly onStdout: OnOutput
  readonly onStderr: OnOutput
  /** About once a second while it runs. */
  readonly onSample?: (sample: Omit<UsageSample, 'id'>) => void
  /** From SIGTERM to SIGKILL, for the process and for what it leaves behind. Default 5,000. */
  readonly graceMs?: number
  /** How long what the main process left running may go on after its end. Default 500. */
  readonly lingerMs?: number
  /** What it and all it starts may use: kept by the kernel where it can, else it is ended when a look finds more. Default none. */
  readonly limits?: ProcessLimits
}

export interface RunningProcess {
  readonly pid: number
  /** With `stdin: 'pipe'`: end it so that the process sees the end. */
  readonly stdin: Writable | null
  /** Resolves when the process and all it started are gone, and its output is read. Rejects with what a taker of output threw. */
  readonly ended: Promise<ProcessEnd>
  /** SIGTERM to the process group and to what left it, SIGKILL after the grace. A second call does nothing. */
  stop(graceMs?: number): void
}

export interface ProcessEnd {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly usage: ProcessUsage
  /** Processes that still ran when the main one had ended and the linger was over: they were ended. */
  readonly leftovers: number
  /** Processes that could not be ended. Unless 0, what they may touch must not be used again. */
  readonly survivors: number
  /** The supervisor was lost, and with it the way in which the process ended. */
  readonly lost: boolean
  /** It was ended because it passed this limit; null: it was not. */
  readonly breach: LimitBreach | null
}

/**
 * Starts commands through a small process of its own, which ends them, and all they started, when this one dies. It is
 * started with the first command, and again should it ever be lost.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #table = systemProcessTable()
  #link: SupervisorLink | null = null
  #opening: Promise<SupervisorLink> | null = null
  #count = 0
  #closed = false

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Process id of the supervisor; undefined before the first command. */
  get pid(): number | undefined {
    return this.#link?.pid
  }

  /**
   * @throws command-not-found, command-not-executable, command-invalid, workdir-missing, host-exhausted, supervisor-lost
   */
  async start(request: StartProcess): Promise<RunningProcess> {
    if (!/^[\w.-]{1,200}$/.test(request.marker)) throw new Error(`${request.marker} is not a marker`)
    if (request.cwd.includes('\0')) throw processErrors['command-invalid']('the folder has a NUL in its name')
    const link = await this.#openLink()
    const [stdoutPath, stderrPath, stdinPath] = await link.pipes.take(request.stdin === 'pipe' ? 3 : 2)
    const paths = [stdoutPath!, stderrPath!]
    const id = ++this.#count
    const stdout = new OutputPipe(stdoutPath!, request.onStdout)
    const stderr = new OutputPipe(stderrPath!, request.onStderr)
    let stdin: Writable | null = null
    let input: string | null = null
    try {
      if (stdinPath !== undefined) {
        input = stdinPath
        stdin = openWriter(stdinPath)
      } else if (typeof request.stdin === 'object') {
        input = join(link.folder, `stdin-${id}`)
        writeFileSync(input, request.stdin.content, { mode: 0o600 })
      }
      if (input !== null) paths.push(input)
      return await this.#launch(link, id, request, {
        stdout,
        stderr,
        stdin,
        input,
        stdoutPath: stdoutPath!,
        stderrPath: stderrPath!,
      })
    } catch (error) {
      link.stop(id, 0)
      stdin?.destroy()
      await Promise.all([stdout.finish(), stderr.finish()])
      for (const path of paths) rmSync(path, { force: true })
      throw error
    }
  }

  async #launch(
    link: SupervisorLink,
    id: number,
    request: StartProcess,
    files: {
      readonly stdout: OutputPipe
      readonly stderr: OutputPipe
      readonly stdin: Writable | null
      readonly input: string | null
      readonly stdoutPath: string
      readonly stderrPath: string
    },
  ): Promise<RunningProcess> {
    const parent = this.#options.parentMarker
    const graceMs = request.graceMs ?? 5_000
    const ended = Promise.withResolvers<ProcessEnd>()
    const started = Promise.withResolvers<number>()
    const { promise, resolve, reject } = ended
    promise.catch(() => {})
    failpoint('spawn.before')
    const from = performance.now()
    link.start(
      {
        type: 'spawn',
        id,
        marker: request.marker,
        file: request.file,
        args: request.args,
        env: {
          ...request.env,
          [markerVariable]: parent === undefined ? request.marker : `${parent}:${request.marker}`,
        },
        cwd: request.cwd,
        stdin: files.input,
        stdout: files.stdoutPath,
        stderr: files.stderrPath,
        graceMs,
        lingerMs: request.lingerMs ?? 500,
        limits: request.limits ?? null,
      },
      {
        started: (pid) => {
          files.stdout.read()
          files.stderr.read()
          started.resolve(pid)
        },
        refused: (error) => started.reject(error),
        sampled: (sample) => request.onSample?.({ cpuSeconds: sample.cpuSeconds, rssBytes: sample.rssBytes }),
        gone: (reply, survivors) => {
          files.stdin?.destroy()
          const end: ProcessEnd = {
            exitCode: reply?.code ?? null,
            signal: reply?.signal ?? null,
            usage: {
              cpuSeconds: reply?.cpuSeconds ?? null,
              maxRssBytes: reply?.maxRssBytes ?? null,
              wallSeconds: reply?.wallSeconds ?? (performance.now() - from) / 1_000,
              ...(reply?.networkBytes == null ? {} : { networkBytes: reply.networkBytes }),
            },
            leftovers: reply?.leftovers ?? 0,
            survivors,
            lost: reply === null,
            breach: reply?.breach ?? null,
          }
          Promise.all([files.stdout.finish(), files.stderr.finish()]).then(() => resolve(end), reject)
        },
      },
    )
    const pid = await started.promise
    failpoint('spawn.after')
    return { pid, stdin: files.stdin, ended: promise, stop: (grace = graceMs) => link.stop(id, grace) }
  }

  async #openLink(): Promise<SupervisorLink> {
    if (this.#closed) throw processErrors['supervisor-lost']('the supervisor has been closed')
    if (this.#link?.open) return this.#link
    const failpoints = this.#link === null ? (this.#options.failpoints ?? '') : ''
    this.#opening ??= SupervisorLink.open({ ...this.#options, failpoints }, this.#table)
      .then((link) => {
        this.#link = link
        return link
      })
      .finally(() => {
        this.#opening = null
      })
    return this.#opening
  }

  /** Ends every command and the supervisor; resolves when nothing is left. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#opening?.catch(() => {})
    await this.#link?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Opened for reading too, so that the opening needs no reader; the process sees the end when this side closes. */
function openWriter(path: string): Writable {
  const file = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const socket = new Socket({ fd: file, readable: false, writable: true })
  // Whoever writes learns of the end of the process from `ended`.
  socket.on('error', () => {})
  return socket
}
