import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { IdSource } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { holdsOf, type KnownBudget } from '../budgets/budget-rules-contract.ts'
import { bulkOf, laneOf, requirementsOf } from '../coordinator/lane-contract.ts'
import { failedChecks, failureText, gateVerdict } from '../gates/gate-verdict-contract.ts'
import type { ResolvedCommand, ResolvedGate, ResolvedMap } from '../workflows/task-contract.ts'
import type { ExpressionContext, ResolvedTask, WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { RunChanges } from './run-changes.ts'
import type { RunRow, StepRow } from './run-rows.ts'
import type { StepLanguage } from './step-language.ts'
import { taskIdOf } from './task-ids-contract.ts'

export interface Activation {
  readonly run: RunRow
  readonly definition: WorkflowDefinition
  readonly step: StepRow
  readonly context: ExpressionContext
  readonly budgets: readonly KnownBudget[]
  readonly now: Date
  /** Called before much is computed at a stretch. */
  readonly onLarge?: () => void
}

type TaskOwner = Pick<Activation, 'run' | 'step' | 'budgets' | 'now'>

export interface ActivationTools {
  /** Program and arguments told of the end of every run whose workflow names none; null: nobody. */
  readonly onRunEnd: readonly string[] | null
  readonly language: StepLanguage
  readonly ids: IdSource
  /** The pool for tasks that name none. */
  readonly choosePool: (spec: ResolvedTask) => string
}

const unlimited = 30 * 86_400_000

/** Resolving the tasks of so many items takes a busy machine a noticeable part of a second. */
const largeMap = 500

/** Brings a step to life: creates its tasks, or ends it at once. Returns the step as it then is. */
export function activateStep(input: Activation, tools: ActivationTools, changes: RunChanges): StepRow {
  const { run, definition, step, context, now } = input
  const ref = { tenant: run.tenant, runId: run.id }
  try {
    if (!tools.language.evaluateIf(definition, step.step, context)) {
      return put({ ...step, state: 'skipped', reason: 'its condition was false', byCondition: true, endedAt: now })
    }
    const spec = tools.language.resolveStep(definition, step.step, context)
    const begun: StepRow = { ...step, state: isWaitingKind(spec) ? 'waiting' : 'running', startedAt: now }
    if (spec.kind === 'map') return put(activateMap(input, tools, changes, spec, begun), true)
    if (spec.kind === 'gate' && spec.checks.every((check) => 'passed' in check))
      return put(judge({ ...input, step: begun }, spec, null, tools, changes), true)
    addTask(input, tools, changes, spec, null, [])
    return put({ ...begun, total: 1, open: 1 }, true)
  } catch (error) {
    if (!isAppError(error)) throw error
    const failure = { code: error.code, message: messageOf(error) }
    return put({ ...step, state: 'failed', reason: failure.message, error: failure, startedAt: now, endedAt: now })
  }

  function put(row: StepRow, counts = false): StepRow {
    changes.step(ref, row, counts)
    return row
  }
}

function isWaitingKind(spec: ResolvedTask): boolean {
  return spec.kind === 'approval' || spec.kind === 'wait'
}

function activateMap(
  input: Activation,
  tools: ActivationTools,
  changes: RunChanges,
  map: ResolvedMap,
  begun: StepRow,
): StepRow {
  const { run, definition, step, context, now } = input
  const key = `map:${run.id}/${step.step}`
  if (map.parallel !== null) changes.places.push({ tenant: run.tenant, key, max: map.parallel })
  if (map.items.length >= largeMap) input.onLarge?.()
  const name = tools.language.itemNameOf(definition, step.step)
  const specs = map.items.map((value, index) => {
    const inner = { ...context, item: { name, value, index } }
    return tools.language.evaluateIf(definition, step.step, inner)
      ? tools.language.resolveItem(definition, step.step, inner)
      : null
  })
  let open = 0
  specs.forEach((spec, index) => {
    if (spec === null) return
    addTask(input, tools, changes, spec, index, map.parallel === null ? [] : [key], 0, map.items.length)
    open += 1
  })
  const counted = { ...begun, total: open, open, tolerate: map.tolerate }
  return open > 0 ? counted : { ...counted, state: 'succeeded', endedAt: now }
}

/** What follows from the checks of a gate, `reported` being what its commands found: it ends, or people are asked. */
export function judge(
  input: TaskOwner,
  gate: ResolvedGate,
  reported: JsonValue,
  tools: ActivationTools,
  changes: RunChanges,
): StepRow {
  const { step, now } = input
  const verdict = gateVerdict(gate, reported)
  const failed = failedChecks(verdict)
  const checks = verdict.checks.map((check) => ({ ...check }))
  const outputs = { verdict: verdict.verdict, failed, by: null, comment: null, checks }
  if (verdict.verdict === 'pass') return { ...step, state: 'succeeded', outputs, endedAt: now }
  if (verdict.verdict === 'block') {
    const message = `the gate is closed: ${failureText(verdict)}`
    return {
      ...step,
      state: 'failed',
      reason: message,
      error: { code: 'gate-blocked', message },
      outputs,
      endedAt: now,
    }
  }
  askForReview(input, tools, changes, gate, failureText(verdict))
  return { ...step, state: 'waiting', total: step.total + 1, open: 1, outputs }
}

/** Asks people to decide about a gate whose checks call for a review. */
function askForReview(
  input: TaskOwner,
  tools: ActivationTools,
  changes: RunChanges,
  gate: ResolvedGate,
  failed: string,
): void {
  const { stepId, priority, labels, risky, allowFailure, who, deadlineMs, rules } = gate
  const spec: ResolvedTask = {
    kind: 'approval',
    stepId,
    priority,
    labels,
    risky,
    allowFailure,
    timeoutMs: null,
    message: `the gate ${input.step.step} asks for a review: ${failed}`,
    who,
    deadlineMs,
    default: rules?.atDeadline === 'approve' ? 'approve' : 'reject',
    rules,
  }
  addTask(input, tools, changes, spec, null, [], input.step.total)
}

/** Creates one task with everything that has to stand beside it. */
export function addTask(
  input: TaskOwner,
  tools: ActivationTools,
  changes: RunChanges,
  spec: ResolvedTask,
  item: number | null,
  keys: readonly string[],
  nth = 0,
  /** How many tasks the step has in all. */
  tasks = 1,
): void {
  const { run, step, now } = input
  const taskId = taskIdOf(run.id, step.position, item, nth)
  const ref = { tenant: run.tenant, runId: run.id }
  const work = 'capabilities' in spec ? spec : null
  const concurrency = [...keys]
  if (work !== null && run.parallel !== null) {
    concurrency.push(`run:${run.id}`)
    changes.places.push({ tenant: run.tenant, key: `run:${run.id}`, max: run.parallel })
  }
  if ('concurrency' in spec && spec.concurrency !== null) {
    concurrency.push(`key:${spec.concurrency.key}`)
    changes.places.push({ tenant: run.tenant, key: `key:${spec.concurrency.key}`, max: spec.concurrency.limit })
  }
  if (work?.paths !== undefined && run.repo !== null) {
    // Dropped with the run, as the keys of its maps are. Until the claim is granted there is no place under it.
    const opens = work.onOverlap === 'warn' ? null : `map:${run.id}/#paths/${taskId}`
    if (opens !== null) {
      concurrency.push(opens)
      changes.places.push({ tenant: run.tenant, key: opens, max: 0 })
    }
    changes.claims.push({ ...ref, taskId, step: step.step, repo: run.repo.path, paths: work.paths, opens })
  }
  const held = work === null ? noHolds : holdsOf({ ...ref, taskId }, work, input.budgets)
  changes.budgets.push(...held.budgets)
  const timeoutMs = held.timeoutMs ?? spec.timeoutMs ?? unlimited
  const priority = run.priority ?? spec.priority
  changes.tasks.push({
    ...ref,
    taskId,
    step: step.step,
    item,
    spec: work === null ? spec : { ...work, timeoutMs },
    pool: work === null ? '' : (work.pool ?? tools.choosePool(work)),
    lane: laneOf(requirementsOf(work, priority, bulkOf(run.id, tasks))),
    priority,
    timeoutMs,
    concurrency,
    budgetIds: held.budgetIds,
    holds: held.holds,
    waitsFor: waitReason(spec),
  })
  const after = (ms: number) => new Date(now.getTime() + ms)
  if (spec.kind === 'approval') {
    const deadlineAt = spec.deadlineMs === null ? null : after(spec.deadlineMs)
    const id = tools.ids.next<string>('apr')
    changes.approvals.push({
      ...ref,
      id,
      taskId,
      step: step.step,
      message: spec.message,
      who: spec.who,
      deadlineAt,
      defaultAnswer: spec.default,
      rules: spec.rules,
    })
    if (deadlineAt !== null)
      changes.timers.push({
        tenant: run.tenant,
        id: `approval:${taskId}`,
        kind: 'approval-deadline',
        subjectId: id,
        dueAt: deadlineAt,
      })
  }
  if (spec.kind === 'wait') {
    if ('ms' in spec.for)
      changes.timers.push({
        tenant: run.tenant,
        id: `wait:${taskId}`,
        kind: 'task-wait',
        subjectId: taskId,
        dueAt: after(spec.for.ms),
      })
    else changes.eventWaits.push({ ...ref, taskId, type: spec.for.event })
  }
  if (spec.kind === 'merge') {
    const { commit, into: branch } = spec
    changes.merges.push({ ...ref, taskId, step: step.step, item, repo: run.repo?.path ?? '', branch, commit })
  }
  if (spec.kind === 'workflow') changes.calls.push({ tenant: run.tenant, taskId })
  if (work === null && spec.kind !== 'workflow' && spec.timeoutMs !== null) {
    changes.timers.push({
      tenant: run.tenant,
      id: `timeout:${taskId}`,
      kind: 'task-timeout',
      subjectId: taskId,
      dueAt: after(spec.timeoutMs),
    })
  }
}

const noHolds = { budgetIds: [], holds: [], budgets: [], timeoutMs: null } as const

function waitReason(spec: ResolvedTask): string | null {
  if (spec.kind === 'approval') return 'approval'
  if (spec.kind === 'workflow') return 'run'
  if (spec.kind === 'wait') return 'ms' in spec.for ? 'timer' : 'event'
  return null
}

/** The step that tells a command how the run ended; it is not part of the graph and does not change the outcome. */
export const onEndStep = '$on-end'

/** Creates the command that is told when a run has ended, if the workflow names one. Returns its step. */
export function activateOnEnd(input: Activation, tools: ActivationTools, changes: RunChanges): StepRow | null {
  const argv = tools.language.resolveOnEnd(input.definition, input.context) ?? tools.onRunEnd
  if (argv === null) return null
  const { run, now } = input
  const spec: ResolvedCommand = {
    kind: 'command',
    stepId: onEndStep,
    timeoutMs: 60_000,
    priority: 5,
    labels: {},
    risky: false,
    allowFailure: true,
    retry: { attempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 10_000, jitter: 0.2 } },
    resources: { cpuCores: 1, memoryBytes: 536_870_912, diskBytes: 1_073_741_824, networkMbps: 10 },
    budget: {},
    concurrency: null,
    pool: null,
    capabilities: [],
    workspace: 'none',
    env: { LEANVIBE_RUN_ID: run.id, LEANVIBE_RUN_WORKFLOW: run.workflow, LEANVIBE_RUN_STATE: run.outcome ?? run.state },
    secretEnv: {},
    outputs: {},
    argv,
    stdin: null,
  }
  const step: StepRow = { ...input.step, state: 'running', total: 1, open: 1, startedAt: now }
  changes.newSteps.push({ tenant: run.tenant, runId: run.id, row: step })
  addTask({ ...input, step, budgets: [] }, tools, changes, spec, null, [])
  return step
}
