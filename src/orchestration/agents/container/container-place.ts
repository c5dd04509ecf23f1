import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import { type ContainerSettings, modelsNetwork } from '../../../foundation/platform/config/container-settings.ts'
import type {
  ProcessEnd,
  RunningProcess,
  StartProcess,
  Supervisor,
} from '../../../foundation/platform/processes/index.ts'
import { markerVariable } from '../../../foundation/platform/processes/process-table.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import { LastLine } from '../last-line.ts'
import type { ModelForwarder } from '../models-only/forward-models.ts'
import { openModelsDoor, redirected, waitingFor } from '../models-only/models-door.ts'
import type { OpenPlace, Place } from '../places/place.ts'
import { type CliAnswer, type ContainerCli, callCli, removeContainer } from './container-cli.ts'
import { containerEnvironment } from './container-environment.ts'
import { dataFolderMark, labelsOf, thisProcess } from './container-labels.ts'
import { type ContainerFolder, execLine, runLine } from './container-line.ts'
import { ContainerMeter, parseStats } from './container-usage.ts'
import { type ContainerState, verdictOf } from './container-verdict.ts'
import { giveFolders } from './give-folders.ts'

export interface ContainerPlaceOptions {
  readonly pool: string
  readonly settings: ContainerSettings
  readonly supervisor: Pick<Supervisor, 'start'>
  readonly dataFolder: string
  /** Absolute paths. */
  readonly mounts: readonly ContainerFolder[]
  /** Looked for at the first attempt. @throws container-cli-missing */
  readonly cli: () => Promise<ContainerCli>
  /** Between looks at what a container uses. Default 5,000; the first comes after a fifth of it. */
  readonly sampleMs?: number
  /** Default: of this process. */
  readonly uid?: number
  readonly gid?: number
}

/** What docker says after it has said what is wrong. */
const advice = /^See '.*--help'\.?$/
const unprivileged = '10001:10001'
const graceMs = 5_000
/** What cleans up behind a container may take this long. */
const lingerMs = 5_000

/** Containers of this machine, one for each attempt. */
export function openContainers(options: ContainerPlaceOptions): OpenPlace {
  let found: Promise<ContainerCli> | null = null
  return async (assignment, context) => {
    // Whoever installs one in the meantime need not start us again.
    found ??= options.cli().catch((error: unknown) => {
      found = null
      throw error
    })
    const place = new ContainerPlace(options, await found, assignment, context)
    await place.prepare()
    return place
  }
}

/** The container of one attempt: made with its first process, removed with it; further processes are beside it. */
export class ContainerPlace implements Place {
  readonly name: string
  readonly #options: ContainerPlaceOptions
  readonly #cli: ContainerCli
  readonly #assignment: Assignment
  readonly #context: AttemptContext
  readonly #uid: number
  readonly #gid: number
  readonly #user: string
  #private = ''
  #processes = 0
  #given = false
  #left = 0

  constructor(options: ContainerPlaceOptions, cli: ContainerCli, assignment: Assignment, context: AttemptContext) {
    this.#options = options
    this.#cli = cli
    this.#assignment = assignment
    this.#context = context
    const mark = dataFolderMark(options.dataFolder).slice(0, 8)
    this.name = `leanvibe-${mark}-${assignment.taskId}-${assignment.fence}`
    this.#uid = options.uid ?? process.getuid?.() ?? 0
    this.#gid = options.gid ?? process.getgid?.() ?? 0
    const own = this.#uid === 0 ? unprivileged : `${this.#uid}:${this.#gid}`
    this.#user = options.settings.user ?? own
  }

  /** A folder for what only the CLI reads, and where it works: podman leaves a file named `oom` there. Root hands the folders of the attempt to the user of the container. */
  async prepare(): Promise<void> {
    this.#private = await mkdtemp(join(this.#options.dataFolder, 'container-'))
    if (this.#uid !== 0) return
    const [uid, gid] = this.#user.split(':').map(Number)
    this.#given = true
    await giveFolders(this.#own(), uid!, gid!)
  }

  async start(request: StartProcess): Promise<RunningProcess> {
    const first = this.#processes === 0
    this.#processes += 1
    return first ? this.#run(request) : this.#exec(request)
  }

  async #run(request: StartProcess): Promise<RunningProcess> {
    const { settings, pool, dataFolder, supervisor } = this.#options
    const labels = labelsOf(this.#assignment, pool, dataFolder, thisProcess())
    const only = settings.network === modelsNetwork ? redirected(request.env) : null
    const ready = join(this.#context.tempdir, 'models-are-there')
    const program = only === null ? request : waitingFor(ready, [request.file, ...request.args])
    // What it starts is told by the marker where a container's processes can be seen from here.
    const env = { ...(only ?? request).env, [markerVariable]: request.marker }
    const command = await this.#command({ ...request, ...program, env })
    const limits = request.limits ?? {}
    const args = runLine({
      ...command.line,
      settings,
      cli: this.#cli,
      user: this.#user,
      labels,
      limits,
      folders: this.#folders(),
    })
    const said = new LastLine(advice)
    const running = await supervisor.start({
      ...{ ...request, file: this.#cli.path, args, env: command.env, cwd: this.#private, limits: {}, lingerMs },
      onSample: () => {},
      onStderr: (chunk) => {
        said.write(chunk)
        return request.onStderr(chunk)
      },
    })
    let stopped = false
    const over = new AbortController()
    const door = only === null ? null : this.#openDoor(only.gateway, ready, over.signal)
    let unreachable: unknown = null
    door?.catch((error: unknown) => {
      if (over.signal.aborted) return
      // It would wait for ever for what does not come.
      unreachable = error
      stop(0)
    })
    const meter = new ContainerMeter()
    const sampling = this.#sample(meter, request, over.signal)
    const memoryLimit = Math.min(settings.memoryBytes, limits.memoryBytes ?? Number.POSITIVE_INFINITY)
    const ended = (async (): Promise<ProcessEnd> => {
      const cli = await running.ended.finally(() => over.abort())
      await sampling
      await (await door?.catch(() => null))?.close()
      const state = await this.#inspect()
      this.#left = await this.#remove()
      const used = { memoryLimit, mostBytes: meter.mostBytes, cpuSeconds: meter.cpuSeconds }
      if (unreachable !== null) throw unreachable
      const verdict = verdictOf({ cli, state, said: said.text, stopped, ...used })
      if (isAppError(verdict)) throw verdict
      return { ...verdict, survivors: verdict.survivors + this.#left }
    })()
    ended.catch(() => {})
    const stop = (grace = request.graceMs ?? graceMs) => {
      if (stopped) return
      stopped = true
      void this.#stop(grace, running)
    }
    return { pid: running.pid, stdin: running.stdin, ended, stop }
  }

  /** Opens the way to the models as soon as the container has a network, and tells who waits inside. */
  async #openDoor(gateway: string, ready: string, signal: AbortSignal): Promise<ModelForwarder | null> {
    for (;;) {
      const answer = await callCli(this.#cli, [
        'inspect',
        '--type',
        'container',
        '--format',
        '{{.State.Pid}}',
        this.name,
      ])
      const pid = Number(answer.stdout.trim())
      if (answer.code === 0 && Number.isInteger(pid) && pid > 0) {
        const door = await openModelsDoor({ pid, ownUsers: this.#cli.rootless }, gateway, signal)
        await writeFile(ready, '')
        return door
      }
      // It ended, or was never there: how is told where it is looked at.
      if (!(await passed(100, signal))) return null
    }
  }

  /** In the same container; its end is told by the shell that becomes it. */
  async #exec(request: StartProcess): Promise<RunningProcess> {
    const pidFile = join(this.#context.tempdir, `process-${this.#processes}`)
    const wrapped = ['-c', 'echo $$ >"$0"; exec "$@"', pidFile, request.file, ...request.args]
    const { env } = this.#options.settings.network === modelsNetwork ? redirected(request.env) : request
    const command = await this.#command({ ...request, env, file: 'sh', args: wrapped })
    const running = await this.#options.supervisor.start({
      ...{
        ...request,
        file: this.#cli.path,
        args: execLine(command.line),
        env: command.env,
        cwd: this.#private,
        limits: {},
      },
      marker: `${request.marker}.${this.#processes}`,
      onSample: () => {},
    })
    const kill = async (signal: string) => {
      const pid = await readFile(pidFile, 'utf8').catch(() => '')
      const line = ['exec', this.name, 'kill', `-${signal}`, pid.trim()]
      if (/^\d+\s*$/.test(pid)) await callCli(this.#cli, line)
    }
    let stopped = false
    const stop = (grace = request.graceMs ?? graceMs) => {
      if (stopped) return
      stopped = true
      const timer = setTimeout(() => void kill('KILL').then(() => running.stop(0)), grace)
      running.ended.finally(() => clearTimeout(timer)).catch(() => {})
      void kill('TERM')
    }
    return { pid: running.pid, stdin: running.stdin, ended: running.ended, stop }
  }

  async close(): Promise<number> {
    const left = this.#processes === 0 ? 0 : this.#left === 0 ? 0 : await this.#remove()
    await rm(this.#private, { recursive: true, force: true })
    // What git and we look at must be ours again.
    if (this.#given) await giveFolders(this.#own(), this.#uid, this.#gid)
    return left
  }

  #own(): readonly string[] {
    const { workdir, outdir, tempdir } = this.#context
    return [workdir, outdir, tempdir]
  }

  #folders(): ContainerFolder[] {
    const { tree } = this.#context
    const git = tree === null || !this.#options.settings.git ? [] : [tree.commonDir]
    return [
      ...this.#options.mounts,
      ...git.map((path) => ({ from: path, to: path, write: false })),
      ...this.#own().map((path) => ({ from: path, to: path, write: true, own: true })),
    ]
  }

  /** The parts that `run` and `exec` have in common; the values of variables go by a file that only we can read. */
  async #command({ file, args, env, cwd, stdin = 'none' }: Omit<StartProcess, 'onStdout' | 'onStderr' | 'marker'>) {
    const variables = containerEnvironment(env)
    const envFile = join(this.#private, `env-${this.#processes}`)
    await writeFile(envFile, variables.file, { mode: 0o600 })
    const envNames = Object.keys(variables.inherited)
    const line = { name: this.name, file, args, cwd, interactive: stdin !== 'none', envFile, envNames }
    return { line, env: { ...variables.inherited, ...this.#cli.env } }
  }

  async #stop(grace: number, running: RunningProcess): Promise<void> {
    const seconds = Math.ceil(grace / 1_000)
    const asked = await callCli(this.#cli, ['stop', '--time', String(seconds), this.name], grace + 10_000)
    if (asked.code !== 0) await callCli(this.#cli, ['kill', this.name])
    // The CLI ends with its container; one that still pulls the image has none.
    running.stop(2_000)
  }

  async #inspect(): Promise<ContainerState | null> {
    const answer = await callCli(this.#cli, ['inspect', '--type', 'container', this.name])
    if (answer.code !== 0) return null
    const [found] = JSON.parse(answer.stdout) as readonly { readonly State: Readonly<Record<string, unknown>> }[]
    const state = found?.State ?? {}
    return {
      status: String(state.Status ?? ''),
      exitCode: Number(state.ExitCode ?? -1),
      oomKilled: state.OOMKilled === true,
      error: String(state.Error ?? ''),
    }
  }

  /** Resolves to the number of containers that stay. */
  async #remove(): Promise<number> {
    const removed = await removeContainer(this.#cli, this.name)
    if (removed.code === 0) return 0
    return saysThereIsNone(removed) || (await this.#inspect()) === null ? 0 : 1
  }

  /** Looks at what it uses, until it ends. A look that fails says nothing. */
  async #sample(meter: ContainerMeter, request: StartProcess, signal: AbortSignal): Promise<void> {
    const everyMs = this.#options.sampleMs ?? 5_000
    for (let waitMs = everyMs / 5; await passed(waitMs, signal); waitMs = everyMs) {
      const answer = await callCli(this.#cli, ['stats', '--no-stream', '--format', 'json', this.name])
      const sample = answer.code === 0 ? parseStats(answer.stdout.trim()) : null
      if (sample === null || signal.aborted) continue
      meter.add(sample, performance.now())
      request.onSample?.({ cpuSeconds: meter.cpuSeconds ?? 0, rssBytes: sample.memoryBytes ?? 0 })
    }
  }
}

function saysThereIsNone({ stderr }: CliAnswer): boolean {
  return /no such container|no container with name/i.test(stderr)
}

/** False when it was aborted before. */
function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const finish = (full: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(full)
    }
    const onAbort = () => finish(false)
    const timer = setTimeout(() => finish(true), ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
