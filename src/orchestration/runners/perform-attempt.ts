import type { Clock } from '../../foundation/kernel/clock.ts'
import { SecretMasker, type SecretSource } from '../../foundation/platform/secrets/index.ts'
import type { AttemptEnd } from '../agents/agent-adapter.ts'
import type { Workspace, WorkspaceCommit, Workspaces } from '../workspaces/index.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { Attempt } from './attempt.ts'
import { agentErrors, attemptErrorOf } from './attempt-errors-contract.ts'
import { AttemptLog } from './attempt-log.ts'
import { commitMessage } from './commit-message.ts'
import type { Assignment, AttemptError, AttemptReport } from './exchange-contract.ts'
import type { Granted, HostedAgent } from './hosted-agent.ts'
import { keepDiff } from './keep-diff.ts'
import type { LogBatcher } from './log-batcher.ts'
import { storableJson, storableText } from './storable-json.ts'

export interface AttemptServices {
  readonly clock: Clock
  readonly workspaces: Workspaces
  readonly secrets: SecretSource
  readonly logs: LogBatcher
  /** Keeps what work in worktrees changed. Default: it is not kept. */
  readonly artifacts?: ArtifactSink | undefined
  /** Bytes of output kept per attempt and stream. */
  readonly logBytes: number
  readonly onError: (error: unknown, assignment: Assignment) => void
}

const noUsage = { cpuSeconds: null, maxRssBytes: null, wallSeconds: 0 }

let lastMoment = { ms: 0, text: '' }

/** Many attempts begin and end in one millisecond: it is written out once. */
function isoNow(clock: Clock): string {
  const now = clock.now()
  if (now.getTime() !== lastMoment.ms) lastMoment = { ms: now.getTime(), text: now.toISOString() }
  return lastMoment.text
}

/** Does the work of one lease, from its folders to its report. Never rejects. */
export async function performAttempt(
  attempt: Attempt,
  agent: HostedAgent,
  services: AttemptServices,
): Promise<AttemptReport> {
  attempt.startedAt = isoNow(services.clock)
  if (agent.folders === false) return reportOf(attempt, await runAdapter(attempt, agent), null, services.clock)
  const known = await knownEnd(attempt, agent)
  if (known !== null) return reportOf(attempt, known, null, services.clock)
  let workspace: Workspace | null = null
  let end: AttemptEnd
  let commit: string | null = null
  let granted: Granted | null = null
  try {
    granted = (await agent.grant?.(attempt.assignment, attempt.signal)) ?? null
    await prepare(attempt, agent, granted, services)
    workspace = await createWorkspace(attempt, services)
    attempt.progress()
    end = await runAdapter(attempt, agent)
    if (end.survivors === undefined || end.survivors === 0) {
      const result = await commitWork(attempt, workspace, services)
      commit = result?.commit ?? null
      end = await withDiff(end, attempt, workspace, result, services)
    }
    end = withCommit(end, commit)
  } catch (error) {
    end = failure(attemptErrorOf(error))
  }
  await granted?.end().catch((error) => services.onError(error, attempt.assignment))
  // Whatever is kept of the attempt is kept before its end is told.
  await attempt.output?.end().catch((error) => services.onError(error, attempt.assignment))
  await services.logs.end(attempt.assignment.fence)
  if (workspace !== null) await removeWorkspace(workspace, end, attempt, services)
  return reportOf(attempt, end, commit, services.clock)
}

async function runAdapter(attempt: Attempt, agent: HostedAgent): Promise<AttemptEnd> {
  try {
    return await agent.adapter.run(attempt.assignment, attempt)
  } catch (error) {
    return failure(attemptErrorOf(error))
  }
}

async function knownEnd({ assignment }: Attempt, { adapter }: HostedAgent): Promise<AttemptEnd | null> {
  if (adapter.known === undefined) return null
  try {
    return await adapter.known(assignment)
  } catch (error) {
    return failure(attemptErrorOf(error))
  }
}

async function prepare(
  attempt: Attempt,
  agent: HostedAgent,
  granted: Granted | null,
  services: AttemptServices,
): Promise<void> {
  const { assignment } = attempt
  const { spec } = assignment
  const values: string[] = [...(agent.masked ?? []), ...(granted?.masked ?? [])]
  const read = async (names: Readonly<Record<string, unknown>>) => {
    const found: Record<string, string> = {}
    for (const [name, secret] of Object.entries(names)) {
      found[name] = await services.secrets.read(String(secret), attempt.signal)
      values.push(found[name])
    }
    return found
  }
  const secretEnv = await read(attempt.secretNames.env)
  const secretConfig = await read(attempt.secretNames.config)
  attempt.masker = new SecretMasker(values)
  attempt.output = new AttemptLog(attempt.masker, services.logBytes, (stream, bytes) =>
    services.logs.write(assignment, stream, bytes),
  )
  const own = { ...agent.env, ...('env' in spec ? spec.env : {}), ...secretEnv }
  attempt.env = { ...own, ...granted?.env, ...taskVariables(assignment) }
  attempt.config = { ...('config' in spec ? spec.config : {}), ...secretConfig }
}

async function createWorkspace(attempt: Attempt, services: AttemptServices): Promise<Workspace> {
  const { spec, taskId, fence, repo } = attempt.assignment
  const workspace = await services.workspaces.create({
    id: `${taskId}.${fence}`,
    kind: 'workspace' in spec && spec.workspace === 'worktree' ? 'worktree' : 'scratch',
    repo,
    ...(spec.kind === 'merge' ? { needsRepository: true } : {}),
    ...('base' in spec && spec.base !== undefined ? { base: spec.base } : {}),
    signal: attempt.signal,
  })
  attempt.tree = workspace.tree
  attempt.workdir = workspace.path
  attempt.outdir = workspace.outdir
  attempt.tempdir = workspace.tempdir
  const start = workspace.tree === null ? {} : { LEANVIBE_COMMIT: workspace.tree.base }
  attempt.env = { ...attempt.env, ...start, LEANVIBE_OUT: workspace.outdir }
  return workspace
}

/** Also of work that failed or was cancelled: what it left may be worth looking at. Not of work whose lease is another's. */
async function commitWork(
  attempt: Attempt,
  workspace: Workspace,
  services: AttemptServices,
): Promise<WorkspaceCommit | null> {
  // What checks and merges leave lying about is nobody's work.
  const { kind } = attempt.assignment.spec
  if (kind === 'gate' || kind === 'merge') return null
  if (attempt.ending === 'revoked' || attempt.ending === 'stopped') return null
  const { runId, taskId, attempt: count } = attempt.assignment
  return services.workspaces.commit(workspace, {
    message: commitMessage(attempt.assignment, attempt.masker),
    ref: `${runId}/${taskId}/${count}`,
  })
}

/** The commit is the work; that its difference could not be kept is told, and no reason to do the work again. */
async function withDiff(
  end: AttemptEnd,
  attempt: Attempt,
  workspace: Workspace,
  result: WorkspaceCommit | null,
  services: AttemptServices,
): Promise<AttemptEnd> {
  const { artifacts, workspaces } = services
  if (result === null || artifacts === undefined) return end
  try {
    const diff = await keepDiff(attempt, workspace, result, { workspaces, artifacts })
    if (diff === null) return end
    const kept = { ...end, artifacts: [...end.artifacts, diff.artifact] }
    if (!diff.leaks || end.outcome !== 'succeeded') return kept
    const message = `commit ${result.commit.slice(0, 12)} adds the value of a secret that this work was given`
    return { ...kept, outcome: 'failed', output: null, error: attemptErrorOf(agentErrors['secret-committed'](message)) }
  } catch (error) {
    services.onError(error, attempt.assignment)
    return end
  }
}

/** Later steps begin where this one ended: its commit is an output, unless the work puts out one of its own. */
function withCommit(end: AttemptEnd, commit: string | null): AttemptEnd {
  const { output, outcome } = end
  if (commit === null || outcome !== 'succeeded') return end
  if (output !== null && (typeof output !== 'object' || Array.isArray(output))) return end
  return { ...end, output: { commit, ...output } }
}

async function removeWorkspace(
  workspace: Workspace,
  end: AttemptEnd,
  attempt: Attempt,
  services: AttemptServices,
): Promise<void> {
  try {
    await services.workspaces.remove(workspace, end.survivors === 0)
  } catch (error) {
    // It stays, on record, until a later start finds its processes dead; no other attempt uses it.
    services.onError(error, attempt.assignment)
  }
}

/** The report for work that ignores its end: the slot is free again, the work itself nobody can stop. */
export function abandonedReport(attempt: Attempt, clock: Clock): AttemptReport {
  const message = `it was told to stop (${attempt.endText}) and did not`
  return reportOf(attempt, failure({ code: 'agent-unresponsive', message, retry: 'never' }), null, clock)
}

/** The report for a lease that is cancelled, or that no agent here can take, before any work. */
export function unstartedReport(attempt: Attempt, error: AttemptError, clock: Clock): AttemptReport {
  attempt.startedAt = isoNow(clock)
  return reportOf(attempt, failure(error), null, clock)
}

function reportOf(attempt: Attempt, end: AttemptEnd, commit: string | null, clock: Clock): AttemptReport {
  const { tenant, taskId, fence } = attempt.assignment
  const { outcome, error } = verdict(attempt, end)
  const { masker } = attempt
  return {
    tenant,
    taskId,
    fence,
    outcome,
    startedAt: attempt.startedAt,
    endedAt: isoNow(clock),
    output: storableJson(masker.json(end.output)),
    error: error === null ? null : { ...error, message: storableText(masker.text(error.message)) },
    usage: end.usage,
    artifacts: end.artifacts,
    workspaceCommit: commit,
  }
}

/** Who was told to stop and stopped did so for that reason, whatever else it says; who had already succeeded has succeeded. */
function verdict(attempt: Attempt, end: AttemptEnd): Pick<AttemptReport, 'outcome' | 'error'> {
  if (end.outcome === 'succeeded' || attempt.ending === null) return { outcome: end.outcome, error: end.error }
  if (attempt.ending === 'timeout') {
    return { outcome: 'timed-out', error: { code: 'timeout', message: attempt.endText, retry: 'later' } }
  }
  return { outcome: 'cancelled', error: { code: 'cancelled', message: attempt.endText, retry: 'never' } }
}

function failure(error: AttemptError): AttemptEnd {
  return { outcome: 'failed', output: null, error, usage: noUsage, artifacts: [] }
}

function taskVariables(assignment: Assignment): Record<string, string> {
  const { runId, taskId, step, item, attempt, repo } = assignment
  return {
    LEANVIBE_RUN_ID: runId,
    LEANVIBE_TASK_ID: taskId,
    LEANVIBE_STEP: step,
    LEANVIBE_ATTEMPT_NUMBER: String(attempt),
    ...(item === null ? {} : { LEANVIBE_ITEM: String(item) }),
    ...(repo === null ? {} : { LEANVIBE_REPO: repo.path, LEANVIBE_COMMIT: repo.commit ?? '' }),
  }
}
