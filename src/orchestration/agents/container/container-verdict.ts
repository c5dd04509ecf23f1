import { constants } from 'node:os'
import type { AppError } from '../../../foundation/kernel/errors.ts'
import type { ProcessEnd } from '../../../foundation/platform/processes/index.ts'
import { containerErrors } from './container-errors.ts'

/** What `inspect` says of a container that has ended. */
export interface ContainerState {
  readonly status: string
  readonly exitCode: number
  readonly oomKilled: boolean
  /** Why it could not be started. */
  readonly error: string
}

export interface EndOfContainer {
  /** How the CLI ended. */
  readonly cli: ProcessEnd
  /** Null: there is no container. */
  readonly state: ContainerState | null
  /** What the CLI said last. */
  readonly said: string
  /** We stopped it. */
  readonly stopped: boolean
  readonly memoryLimit: number
  readonly mostBytes: number | null
  readonly cpuSeconds: number | null
}

const imageMissing =
  /no such image|image not known|unable to find image|pull access denied|manifest unknown|initializing source|invalid reference format|did not resolve to an alias/i
const commandMissing = /executable file .*not found|no such file or directory|permission denied|exec format error/i
/** Who was ended by the kernel for want of memory had used about all of it. */
const nearly = 0.85

/** How a container ended, in the words of processes, or why there never was one. */
export function verdictOf(end: EndOfContainer): ProcessEnd | AppError {
  const { cli, state, said } = end
  const usage = { cpuSeconds: end.cpuSeconds, maxRssBytes: end.mostBytes, wallSeconds: cli.usage.wallSeconds }
  if (cli.lost) return { ...cli, usage }
  const started = state !== null && state.status !== 'created' && state.status !== 'configured'
  if (!started && !end.stopped) {
    const why = state?.error ? state.error : said
    if (imageMissing.test(said)) return containerErrors['container-image-missing'](why)
    if (cli.exitCode === 126 || cli.exitCode === 127 || commandMissing.test(why))
      return containerErrors['container-command-missing'](why)
    return containerErrors['container-failed'](why === '' ? `its CLI ended with ${cli.exitCode}` : why)
  }
  const exitCode = state?.exitCode ?? cli.exitCode ?? -1
  const killed = exitCode === 137 && !end.stopped
  if (state?.oomKilled || (killed && end.mostBytes !== null && end.mostBytes >= end.memoryLimit * nearly)) {
    const used = Math.max(end.mostBytes ?? 0, end.memoryLimit)
    return { ...cli, exitCode, usage, breach: { resource: 'memory', used, limit: end.memoryLimit } }
  }
  const signal = exitCode > 128 ? signalOf(exitCode - 128) : null
  return { ...cli, exitCode: signal === null ? exitCode : null, signal, usage }
}

export function signalOf(number: number): string | null {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null
}
