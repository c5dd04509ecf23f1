import type { ArtifactSink } from '../../runners/artifact-sink.ts'
import { agentErrors, attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { ArtifactRef, Assignment, AttemptError, ResourceUsage } from '../../runners/exchange-contract.ts'
import type { OpenToolJournal, ToolJournal } from '../../tool-calls/tool-journal.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AgentAdapter, AttemptContext, AttemptEnd } from '../agent-adapter.ts'
import type { AskPort, AskRules } from '../ask-contract.ts'
import { withDisk } from '../attempt-limits.ts'
import {
  collectOutdir,
  collectOutputs,
  defaultOutputLimits,
  type OutputLimits,
  type OutputsContext,
  remember,
} from '../collect-outputs.ts'
import { StdoutCapture } from '../stdout-capture.ts'
import type { AgentAnswer, AgentDriver, AgentSession } from './agent-session.ts'
import { createSessionContext, noToolJournal } from './session-context.ts'

export interface SessionAdapterOptions {
  readonly artifacts: ArtifactSink
  /** Where questions of the agent go. */
  readonly ask: AskPort
  /** Who answers it, and what happens while nobody does. Default: whoever may approve. */
  readonly asking?: AskRules | undefined
  /** Where its tool calls are told. Default: in the log alone. */
  readonly toolCalls?: OpenToolJournal | undefined
  readonly limits?: OutputLimits
  /** From the word to stop until the agent is ended. Default 3,000. */
  readonly cancelGraceMs?: number
}

/**
 * Runs prompts as conversations: start the agent, send the task, follow it, stop it. Whatever the agent does, its end is
 * told and what it had started is ended.
 */
export function createSessionAdapter(driver: AgentDriver, options: SessionAdapterOptions): AgentAdapter {
  return {
    kind: driver.kind,
    enforcement: driver.enforcement,
    async run(assignment, context) {
      const { spec } = assignment
      if (spec.kind !== 'agent') {
        const error = agentErrors['agent-mismatch'](
          `an agent of the kind ${driver.kind} takes prompts, no ${spec.kind}`,
        )
        return endOf(attemptErrorOf(error), noUsage)
      }
      const limits = options.limits ?? defaultOutputLimits
      const stdout = new StdoutCapture(`${context.tempdir}/answer`, limits.outputBytes, limits.artifactBytes)
      const tools = options.toolCalls?.(assignment, driver.kind, context.masker) ?? noToolJournal
      try {
        return await converse(driver, options, assignment, spec, context, stdout, tools)
      } finally {
        await tools.close()
        await stdout.close()
      }
    },
  }
}

const noUsage: ResourceUsage = { cpuSeconds: null, maxRssBytes: null, wallSeconds: 0 }

async function converse(
  driver: AgentDriver,
  options: SessionAdapterOptions,
  assignment: Assignment,
  spec: ResolvedAgent,
  context: AttemptContext,
  stdout: StdoutCapture,
  tools: ToolJournal,
): Promise<AttemptEnd> {
  const { signal } = context
  const from = performance.now()
  const { context: talk, settled } = createSessionContext(assignment, context, withRules(options), stdout, tools)
  let session: AgentSession
  try {
    signal.throwIfAborted()
    session = await driver.start(assignment, talk)
  } catch (error) {
    const usage = { ...noUsage, wallSeconds: (performance.now() - from) / 1_000 }
    return endOf(signal.aborted ? cancelledBy(signal) : attemptErrorOf(error), usage)
  }
  context.progress()
  const answer = await answerOf(session, spec, signal, options.cancelGraceMs ?? 3_000)
  const end = await session.stop()
  const spending = session.usage()
  const usage = await withDisk(spending === undefined ? end.usage : { ...end.usage, spending }, assignment, context)
  if (signal.aborted) return endOf(cancelledBy(signal), usage, [], end.survivors)
  if (end.survivors > 0) {
    const message = `${end.survivors} processes of the agent could not be ended`
    return endOf({ code: 'workspace-busy', message, retry: 'later' }, usage, [], end.survivors)
  }
  const { workdir, outdir, tempdir, masker } = context
  const limits = options.limits ?? defaultOutputLimits
  const outputs: OutputsContext = {
    ...{ assignment, workdir, outdir, tempdir, masker, signal, limits },
    artifacts: options.artifacts,
  }
  const error = end.error?.code === 'limit-exceeded' ? end.error : answer.error
  try {
    if (error !== null) return endOf(error, usage, await collectOutdir(outputs), 0)
    await settled()
    const collected = await collectOutputs(spec.outputs, stdout, outputs)
    for (const artifact of await collectOutdir(outputs)) remember(collected.artifacts, artifact)
    const output =
      answer.values === undefined ? collected.output : { ...masker.json(answer.values), ...collected.output }
    return { outcome: 'succeeded', output, error: null, usage, artifacts: collected.artifacts, survivors: 0 }
  } catch (cause) {
    return endOf(attemptErrorOf(cause), usage, [], 0)
  }
}

function withRules({ ask, asking }: SessionAdapterOptions): AskPort {
  return asking === undefined ? ask : { ask: (question, signal) => ask.ask({ ...question, rules: asking }, signal) }
}

/** Never rejects, and does not outlast the attempt by more than the grace. */
async function answerOf(
  session: AgentSession,
  spec: ResolvedAgent,
  signal: AbortSignal,
  graceMs: number,
): Promise<AgentAnswer> {
  const late = Promise.withResolvers<AgentAnswer>()
  let timer: NodeJS.Timeout | null = null
  const onAbort = () => {
    timer = setTimeout(() => late.resolve({ outcome: 'cancelled', error: cancelledBy(signal) }), graceMs)
    // What the agent makes of it does not matter: it is ended when the grace is over.
    Promise.resolve(session.cancel(String(signal.reason))).catch(() => {})
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([session.send(spec), late.promise])
  } catch (error) {
    return { outcome: 'failed', error: attemptErrorOf(error) }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (timer !== null) clearTimeout(timer)
  }
}

function cancelledBy(signal: AbortSignal): AttemptError {
  return { code: 'cancelled', message: String(signal.reason), retry: 'never' }
}

function endOf(
  error: AttemptError,
  usage: ResourceUsage,
  artifacts: readonly ArtifactRef[] = [],
  survivors = 0,
): AttemptEnd {
  const outcome = error.code === 'cancelled' ? 'cancelled' : 'failed'
  return { outcome, output: null, error, usage, artifacts, survivors }
}
