import type { Writable } from 'node:stream'
import {
  type Confinement,
  confineCommand,
  type HostConfinement,
  type LimitBreach,
  lackOf,
  type ProcessEnd,
  type RunningProcess,
} from '../../../foundation/platform/processes/index.ts'
import type { Assignment, AttemptError } from '../../runners/exchange-contract.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import { limitsOf, watchFolders } from '../attempt-limits.ts'
import { LastLine } from '../last-line.ts'
import { type ModelsOnly, openConfinedModels } from '../models-only/confined-models.ts'
import type { ProcessStarter } from '../places/place.ts'
import { processError } from '../process-verdict.ts'
import { sessionErrors } from './session-errors.ts'

/** How processes of agents are started on this host. */
export interface AgentProcessHost {
  readonly supervisor: ProcessStarter
  readonly host: HostConfinement
  readonly rules: Confinement
}

export interface AgentProcessRequest {
  readonly assignment: Assignment
  readonly context: AttemptContext
  readonly argv: readonly string[]
  /** Besides those of the attempt. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin: 'pipe' | 'none'
  /** The chunk is valid until the promise resolves. */
  readonly onStdout: (chunk: Buffer) => void | Promise<void>
  /** Default: to the log of the attempt. */
  readonly onStderr?: (chunk: Buffer) => void | Promise<void>
  readonly graceMs?: number
}

export interface AgentProcess {
  readonly stdin: Writable | null
  /** Resolves when it and all it started are gone. */
  readonly ended: Promise<ProcessEnd>
  /** Why it ended, if that was not as it should be. */
  errorOf(end: ProcessEnd): AttemptError | null
  stop(graceMs?: number): void
}

/**
 * Starts a process of an agent: within its bounds, its limits watched, ended with all it starts.
 * @throws confinement-missing, and what the supervisor throws
 */
export async function startAgentProcess(
  { supervisor, host, rules }: AgentProcessHost,
  request: AgentProcessRequest,
): Promise<AgentProcess> {
  const { context } = request
  const lack = lackOf(host, rules)
  if (lack !== null) throw sessionErrors['confinement-missing'](lack)
  const models = await openConfinedModels(host, rules, { ...context.env, ...request.env })
  try {
    return await startWithin({ supervisor, host, rules }, request, models)
  } catch (error) {
    await models?.close()
    throw error
  }
}

async function startWithin(
  { supervisor, host, rules }: AgentProcessHost,
  request: AgentProcessRequest,
  models: ModelsOnly | null,
): Promise<AgentProcess> {
  const { assignment, context } = request
  const env = models?.env ?? { ...context.env, ...request.env }
  const [file = '', ...args] = request.argv
  const cwd = request.cwd ?? context.workdir
  const command = confineCommand(host, rules, {
    ...{ file, args, env, cwd },
    folders: [context.workdir, context.outdir, context.tempdir],
    git: context.tree,
    launcher: models?.launcher ?? null,
  })
  const limits = limitsOf(assignment)
  const lastLine = new LastLine()
  let cpuSeconds = 0
  const running: RunningProcess = await supervisor.start({
    marker: `${assignment.taskId}.${assignment.fence}`,
    ...command,
    env,
    cwd,
    stdin: request.stdin,
    ...(limits === null ? {} : { limits }),
    ...(request.graceMs === undefined ? {} : { graceMs: request.graceMs }),
    onStdout: request.onStdout,
    onStderr: (chunk) => {
      lastLine.write(chunk)
      context.progress()
      return request.onStderr === undefined ? context.log('stderr', chunk) : request.onStderr(chunk)
    },
    onSample: (sample) => {
      if (sample.cpuSeconds > cpuSeconds) context.progress()
      cpuSeconds = Math.max(cpuSeconds, sample.cpuSeconds)
    },
  })
  let full: LimitBreach | null = null
  const over = new AbortController()
  const watch = watchFolders(limits?.diskBytes, context, over.signal, (breach) => {
    full = breach
    running.stop()
  })
  const ended = running.ended.finally(async () => {
    over.abort()
    await Promise.all([watch, models?.close()])
  })
  ended.catch(() => {})
  return {
    stdin: running.stdin,
    ended: ended.then((end) => (full === null ? end : { ...end, breach: full })),
    errorOf: (end) => processError(end, lastLine.text),
    stop: (graceMs) => running.stop(graceMs),
  }
}
