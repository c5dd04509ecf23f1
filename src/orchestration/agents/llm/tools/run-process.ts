import { CappedOutput } from '../../../../foundation/platform/processes/index.ts'
import type { Assignment } from '../../../runners/exchange-contract.ts'
import { type AgentProcessHost, startAgentProcess } from '../../sessions/agent-process.ts'
import type { SessionContext } from '../../sessions/agent-session.ts'
import { llmErrors } from '../llm-errors.ts'

export interface RanProcess {
  readonly exitCode: number | null
  /** Null: it ended by itself. */
  readonly why: string | null
  /** Both of its streams as they came; of very much, the beginning and the end. */
  readonly output: string
}

export type RunProcess = (
  argv: readonly string[],
  options: { readonly cwd: string; readonly timeoutMs: number },
) => Promise<RanProcess>

export interface ProcessRunner {
  readonly run: RunProcess
  /** Processes that could not be ended. */
  readonly survivors: number
  readonly cpuSeconds: number
}

/** Runs commands of a model in its worktree, within the bounds of its pool; they know nothing of the keys to its model. */
export function createProcessRunner(
  host: AgentProcessHost,
  assignment: Assignment,
  context: SessionContext,
  { hidden, outputBytes }: { readonly hidden: readonly string[]; readonly outputBytes: number },
): ProcessRunner {
  let survivors = 0
  let cpuSeconds = 0
  const env = Object.fromEntries(Object.entries(context.env).filter(([name]) => !hidden.includes(name)))
  const run: RunProcess = async (argv, { cwd, timeoutMs }) => {
    context.signal.throwIfAborted()
    const kept: Buffer[] = []
    const output = new CappedOutput((chunk) => void kept.push(Buffer.from(chunk)), outputBytes)
    const take = async (chunk: Buffer) => {
      context.progress()
      await context.log('stderr', chunk)
      await output.write(chunk)
    }
    const process = await startAgentProcess(host, {
      ...{ assignment, context: { ...context, env }, argv, cwd, stdin: 'none', graceMs: 1_000 },
      ...{ onStdout: take, onStderr: take },
    })
    let late = false
    const stop = () => process.stop(1_000)
    const timer = setTimeout(() => {
      late = true
      stop()
    }, timeoutMs)
    context.signal.addEventListener('abort', stop, { once: true })
    if (context.signal.aborted) stop()
    try {
      const end = await process.ended
      survivors += end.survivors
      cpuSeconds += end.usage.cpuSeconds ?? 0
      await output.finish()
      if (end.lost) throw llmErrors['tool-failed']('the command could not be followed to its end')
      const breach = end.breach === null ? null : (process.errorOf(end)?.message ?? null)
      const why = breach ?? (late ? `ended: it took longer than ${timeoutMs / 1_000} s` : null)
      return { exitCode: end.exitCode, why, output: Buffer.concat(kept).toString('utf8') }
    } finally {
      clearTimeout(timer)
      context.signal.removeEventListener('abort', stop)
    }
  }
  return {
    run,
    get survivors() {
      return survivors
    },
    get cpuSeconds() {
      return cpuSeconds
    },
  }
}
