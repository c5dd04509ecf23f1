import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { CommandAgent } from '../../foundation/platform/config/pools.ts'
import type { LimitBreach, ProcessEnd, Supervisor } from '../../foundation/platform/processes/index.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'
import { agentErrors, attemptErrorOf } from '../runners/attempt-errors-contract.ts'
import type { ArtifactRef, Assignment, AttemptError, ResourceUsage } from '../runners/exchange-contract.ts'
import type { ResolvedGate } from '../workflows/task-contract.ts'
import type { AgentAdapter, AttemptContext, AttemptEnd } from './agent-adapter.ts'
import { breachText, limitsOf, watchFolders, withDisk } from './attempt-limits.ts'
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
import { readSpending, spendingFile } from './read-spending.ts'
import { StdoutCapture } from './stdout-capture.ts'

export interface CommandAdapterOptions {
  readonly supervisor: Supervisor
  readonly artifacts: ArtifactSink
  /** How agents of this pool take prompts. Default null: they run commands and scripts only. */
  readonly agent?: CommandAgent | null
  readonly limits?: OutputLimits
  /** From SIGTERM to SIGKILL. Default 5,000. */
  readonly graceMs?: number
}

/** Runs tasks as processes of this machine: commands, scripts, the commands of gates, and agents that are a program with a prompt. */
export function createCommandAdapter(options: CommandAdapterOptions): AgentAdapter {
  return {
    kind: 'command',
    enforcement: 'capped',
    async run(assignment, context) {
      const { spec } = assignment
      try {
        if (spec.kind === 'gate') return await runGate(options, assignment, spec, context)
        if (spec.kind !== 'command' && spec.kind !== 'script' && spec.kind !== 'agent') {
          throw agentErrors['agent-mismatch'](`a command agent cannot do a task of the kind ${spec.kind}`)
        }
        const line = await commandLineOf(spec, options.agent ?? null, context.tempdir)
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
    const error = errorOf(end, said)
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

/** Runs the commands of a gate one after another. Each passes or does not; the gate itself is judged by the run. */
async function runGate(
  options: CommandAdapterOptions,
  assignment: Assignment,
  spec: ResolvedGate,
  context: AttemptContext,
): Promise<AttemptEnd> {
  const checks: JsonValue[] = []
  let usage = noUsage
  let survivors = 0
  for (const check of spec.checks) {
    if (!('argv' in check) || context.signal.aborted) continue
    const said = (text: string) => context.log('stderr', Buffer.from(`${text}\n`))
    try {
      const { end } = await runProcess(options, assignment, { argv: check.argv, stdin: null, env: {} }, context, null)
      usage = sum(usage, end.usage)
      survivors += end.survivors
      if (end.lost) return failed(errorOf(end, '')!, usage, [], survivors)
      const passed = end.exitCode === 0 && end.breach === null
      checks.push({ name: check.name, passed })
      await said(`check ${check.name}: ${passed ? 'passed' : `failed (${endText(end)})`}`)
    } catch (error) {
      const { code, message, retry } = attemptErrorOf(error)
      if (retry === 'later') return failed({ code, message, retry }, usage, [], survivors)
      checks.push({ name: check.name, passed: false })
      await said(`check ${check.name}: failed (${message})`)
    }
  }
  if (context.signal.aborted) return failed(cancelledBy(context.signal), usage, [], survivors)
  return { outcome: 'succeeded', output: { checks }, error: null, usage, artifacts: [], survivors }
}

async function runProcess(
  options: CommandAdapterOptions,
  assignment: Assignment,
  line: CommandLine,
  context: AttemptContext,
  stdout: StdoutCapture | null,
): Promise<{ end: ProcessEnd; said: string }> {
  const { signal, workdir, env } = context
  const [file = '', ...args] = line.argv
  const lastLine = new LastLine()
  let cpuSeconds = 0
  const limits = limitsOf(assignment)
  signal.throwIfAborted()
  const running = await options.supervisor.start({
    marker: `${assignment.taskId}.${assignment.fence}`,
    file,
    args,
    env: { ...env, LEANVIBE_SPENDING: spendingFile(context.tempdir), ...configVariables(context.config), ...line.env },
    cwd: workdir,
    ...(line.stdin === null ? {} : { stdin: { content: line.stdin } }),
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(limits === null ? {} : { limits }),
    onStdout: (chunk) => {
      context.progress()
      return both(context.log('stdout', chunk), stdout?.write(chunk))
    },
    onStderr: (chunk) => {
      context.progress()
      lastLine.write(chunk)
      return context.log('stderr', chunk)
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

function errorOf(end: ProcessEnd, said: string): AttemptError | null {
  if (end.breach !== null) return { code: 'limit-exceeded', message: breachText(end.breach), retry: 'never' }
  if (end.lost) return { code: 'supervisor-lost', message: 'the supervisor of the command ended', retry: 'later' }
  if (end.survivors > 0) {
    const message = `${end.survivors} processes of the command could not be ended`
    return { code: 'workspace-busy', message, retry: 'later' }
  }
  const message = said === '' ? endText(end) : `${endText(end)}: ${said}`
  if (end.signal !== null) return { code: 'signal', message, signal: end.signal, retry: 'later' }
  if (end.exitCode !== 0) return { code: 'exit-code', message, exitCode: end.exitCode ?? -1, retry: 'later' }
  return null
}

function endText(end: ProcessEnd): string {
  if (end.breach !== null) return breachText(end.breach)
  return end.signal === null ? `exit code ${end.exitCode}` : `ended by ${end.signal}`
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

function sum(a: ResourceUsage, b: ResourceUsage): ResourceUsage {
  return {
    cpuSeconds: a.cpuSeconds === null || b.cpuSeconds === null ? null : a.cpuSeconds + b.cpuSeconds,
    maxRssBytes: Math.max(a.maxRssBytes ?? 0, b.maxRssBytes ?? 0) || null,
    wallSeconds: a.wallSeconds + b.wallSeconds,
  }
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
