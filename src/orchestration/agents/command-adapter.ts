import { join } from 'node:path'
import type { CommandAgent } from '../../foundation/platform/config/pools.ts'
import {
  CappedOutput,
  type CommandToConfine,
  type Confinement,
  confineCommand,
  type HostConfinement,
  type Launcher,
  type LimitBreach,
  lackOf,
  type ProcessEnd,
} from '../../foundation/platform/processes/index.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'
import { agentErrors, attemptErrorOf } from '../runners/attempt-errors-contract.ts'
import type { ArtifactRef, Assignment, AttemptError, ResourceUsage } from '../runners/exchange-contract.ts'
import type { ResolvedTask } from '../workflows/task-contract.ts'
import type { AgentAdapter, AttemptContext, AttemptEnd } from './agent-adapter.ts'
import { limitsOf, watchFolders, withDisk } from './attempt-limits.ts'
import {
  collectOutdir,
  collectOutputs,
  defaultOutputLimits,
  type OutputLimits,
  type OutputsContext,
  remember,
} from './collect-outputs.ts'
import { type CommandLine, commandLineOf } from './command-line.ts'
import { LastLine } from './last-line.ts'
import { openConfinedModels } from './models-only/confined-models.ts'
import type { ProcessStarter } from './places/place.ts'
import { processEndText, processError } from './process-verdict.ts'
import { readSpending, spendingFile } from './read-spending.ts'
import { sessionErrors } from './sessions/session-errors.ts'
import { StdoutCapture } from './stdout-capture.ts'
import type { StartProcess, TaskWorker } from './task-worker.ts'

export interface CommandAdapterOptions {
  readonly supervisor: ProcessStarter
  readonly artifacts: ArtifactSink
  /** How agents of this pool take prompts. Default null: they run commands and scripts only. */
  readonly agent?: CommandAgent | null
  readonly limits?: OutputLimits
  /** Who does the kinds of tasks that are part of the product. Default: nobody. */
  readonly workers?: Readonly<Partial<Record<ResolvedTask['kind'], TaskWorker>>>
  /** From SIGTERM to SIGKILL. Default 5,000. */
  readonly graceMs?: number
  /** What its processes may touch. Default: what the user may. */
  readonly confine?: { readonly host: HostConfinement; readonly rules: Confinement }
}

/** Runs tasks as processes of this machine: commands, scripts, the commands of gates, and agents that are a program with a prompt. */
export function createCommandAdapter(options: CommandAdapterOptions): AgentAdapter {
  return {
    kind: 'command',
    enforcement: 'capped',
    known: async (assignment) => (await options.workers?.[assignment.spec.kind]?.known?.(assignment)) ?? null,
    async run(assignment, context) {
      const { spec } = assignment
      try {
        const worker = options.workers?.[spec.kind]
        if (worker !== undefined) {
          return await worker.run(assignment, context, processesFor(options, assignment, context))
        }
        if (spec.kind !== 'command' && spec.kind !== 'script' && spec.kind !== 'agent') {
          throw agentErrors['agent-mismatch'](`a command agent cannot do a task of the kind ${spec.kind}`)
        }
        const line = await commandLineOf(spec, options.agent ?? null, context.tempdir, context.config.model ?? null)
        return await runTask(options, assignment, line, spec.outputs, context)
      } catch (error) {
        return failed(attemptErrorOf(error), noUsage, [], 0)
      }
    },
  }
}

const noUsage: ResourceUsage = { cpuSeconds: 0, maxRssBytes: null, wallSeconds: 0 }

async function runTask(
  options: CommandAdapterOptions,
  assignment: Assignment,
  line: CommandLine,
  outputs: Parameters<typeof collectOutputs>[0],
  context: AttemptContext,
): Promise<AttemptEnd> {
  const limits = options.limits ?? defaultOutputLimits
  const wanted = Object.values(outputs).some((source) => source.from === 'stdout' || source.from === 'json')
  const stdout = wanted
    ? new StdoutCapture(`${context.tempdir}/stdout`, limits.outputBytes, limits.artifactBytes)
    : null
  const { workdir, outdir, tempdir, masker, signal } = context
  const outputsContext: OutputsContext = {
    ...{ assignment, workdir, outdir, tempdir, masker, signal, limits },
    artifacts: options.artifacts,
  }
  try {
    const { end, said } = await runProcess(options, assignment, line, context, stdout)
    const usage = await withSpending(await withDisk(end.usage, assignment, context), context)
    const error = processError(end, said)
    // A cancel must not be held up by the copying of files.
    if (signal.aborted) return failed(cancelledBy(signal), usage, [], end.survivors)
    if (error !== null) return failed(error, usage, await collectOutdir(outputsContext), end.survivors)
    try {
      const collected = await collectOutputs(outputs, stdout, outputsContext)
      for (const artifact of await collectOutdir(outputsContext)) remember(collected.artifacts, artifact)
      const { output, artifacts } = collected
      return { outcome: 'succeeded', output, error: null, usage, artifacts, survivors: end.survivors }
    } catch (cause) {
      return failed(attemptErrorOf(cause), usage, [], end.survivors)
    }
  } finally {
    await stdout?.close()
  }
}

/** Adds what the program says it has spent. A report that cannot be read costs nothing but the report. */
async function withSpending(usage: ResourceUsage, context: AttemptContext): Promise<ResourceUsage> {
  const spending = await readSpending(context.tempdir)
  if (spending === undefined) return usage
  if (!('problem' in spending)) return { ...usage, spending }
  await context.log('stderr', Buffer.from(`what it spent is not counted: ${spending.problem}\n`))
  return usage
}

/** Starts the processes of work that is part of the product, and keeps what they print for it. */
function processesFor(options: CommandAdapterOptions, assignment: Assignment, context: AttemptContext): StartProcess {
  return async (argv, folder = '') => {
    const printed: Buffer[] = []
    const output = new CappedOutput((chunk) => void printed.push(Buffer.from(chunk)), workerOutputBytes)
    try {
      const line = { argv, stdin: null, env: {}, folder }
      const { end } = await runProcess(options, assignment, line, context, null, (chunk) => output.write(chunk))
      await output.finish()
      return {
        passed: end.exitCode === 0 && end.breach === null,
        exitCode: end.exitCode,
        text: processEndText(end),
        output: Buffer.concat(printed).toString('utf8'),
        usage: end.usage,
        survivors: end.survivors,
        failure: end.lost ? processError(end, '') : null,
      }
    } catch (error) {
      // A program that is not there says something of the repository; a machine that cannot start one does not.
      const { code, message, retry } = attemptErrorOf(error)
      const failure = retry === 'later' ? { code, message, retry } : null
      return { passed: false, exitCode: null, text: message, output: '', usage: noUsage, survivors: 0, failure }
    }
  }
}

const workerOutputBytes = 2 * 1_048_576

async function runProcess(
  options: CommandAdapterOptions,
  assignment: Assignment,
  /** `folder`: below that of the attempt. */
  line: CommandLine & { readonly folder?: string },
  context: AttemptContext,
  stdout: StdoutCapture | null,
  /** Told of everything that is printed. */
  listen?: (chunk: Uint8Array) => void | Promise<void>,
): Promise<{ end: ProcessEnd; said: string }> {
  const { signal } = context
  signal.throwIfAborted()
  const env = {
    ...{ ...context.env, LEANVIBE_SPENDING: spendingFile(context.tempdir) },
    ...{ ...configVariables(context.config), ...line.env },
  }
  const { confine } = options
  const models = confine === undefined ? null : await openConfinedModels(confine.host, confine.rules, env)
  try {
    const within = { env: models?.env ?? env, launcher: models?.launcher ?? null }
    return await runWithin(options, assignment, line, context, { ...within, stdout, listen })
  } finally {
    await models?.close()
  }
}

interface Within {
  readonly env: Readonly<Record<string, string>>
  readonly launcher: Launcher | null
  readonly stdout: StdoutCapture | null
  readonly listen: ((chunk: Uint8Array) => void | Promise<void>) | undefined
}

async function runWithin(
  options: CommandAdapterOptions,
  assignment: Assignment,
  line: CommandLine & { readonly folder?: string },
  context: AttemptContext,
  { env, launcher, stdout, listen }: Within,
): Promise<{ end: ProcessEnd; said: string }> {
  const { signal } = context
  const workdir = join(context.workdir, line.folder ?? '')
  const [file = '', ...args] = line.argv
  const lastLine = new LastLine()
  let cpuSeconds = 0
  const limits = limitsOf(assignment)
  const running = await options.supervisor.start({
    marker: `${assignment.taskId}.${assignment.fence}`,
    ...confined(options.confine, { file, args, env, cwd: workdir, launcher }, context),
    env,
    cwd: workdir,
    ...(line.stdin === null ? {} : { stdin: { content: line.stdin } }),
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(limits === null ? {} : { limits }),
    onStdout: (chunk) => {
      context.progress()
      return both(both(context.log('stdout', chunk), stdout?.write(chunk)), listen?.(chunk))
    },
    onStderr: (chunk) => {
      context.progress()
      lastLine.write(chunk)
      return both(context.log('stderr', chunk), listen?.(chunk))
    },
    onSample: (sample) => {
      if (sample.cpuSeconds > cpuSeconds) context.progress()
      cpuSeconds = Math.max(cpuSeconds, sample.cpuSeconds)
    },
  })
  context.progress()
  const stop = () => running.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  let full: LimitBreach | null = null
  const over = new AbortController()
  const watch = watchFolders(limits?.diskBytes, context, over.signal, (breach) => {
    full = breach
    stop()
  })
  try {
    const end = await running.ended
    return { end: full === null ? end : { ...end, breach: full }, said: lastLine.text }
  } finally {
    over.abort()
    running.stop(0)
    signal.removeEventListener('abort', stop)
    await watch
  }
}

function failed(
  error: AttemptError,
  usage: ResourceUsage,
  artifacts: readonly ArtifactRef[],
  survivors: number,
): AttemptEnd {
  return {
    outcome: error.code === 'cancelled' ? 'cancelled' : 'failed',
    output: null,
    error,
    usage,
    artifacts,
    survivors,
  }
}

function cancelledBy(signal: AbortSignal): AttemptError {
  return { code: 'cancelled', message: String(signal.reason), retry: 'never' }
}

/** The command within the bounds of its pool. @throws confinement-missing */
function confined(
  bounds: CommandAdapterOptions['confine'],
  command: Pick<CommandToConfine, 'file' | 'args' | 'env' | 'cwd' | 'launcher'>,
  { workdir, outdir, tempdir, tree }: AttemptContext,
) {
  if (bounds === undefined) return { file: command.file, args: command.args }
  const lack = lackOf(bounds.host, bounds.rules)
  if (lack !== null) throw sessionErrors['confinement-missing'](lack)
  return confineCommand(bounds.host, bounds.rules, { ...command, folders: [workdir, outdir, tempdir], git: tree })
}

/** `config: { model: x }` of an agent step reaches its program as LEANVIBE_CONFIG_MODEL. */
function configVariables(config: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      `LEANVIBE_CONFIG_${name.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()}`,
      value,
    ]),
  )
}

function both(first: void | Promise<void>, second: void | Promise<void>): void | Promise<void> {
  return first instanceof Promise || second instanceof Promise
    ? Promise.all([first, second]).then(() => undefined)
    : undefined
}
