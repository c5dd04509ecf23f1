import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { depthTable } from './depth-table.ts'
import { defaultItemName } from './expression-sites.ts'
import {
  type EvaluationContext,
  evaluateCondition,
  evaluateJson,
  evaluateTemplate,
  evaluateText,
} from './expressions.ts'
import { cleanText, resolveEnvironment, resolveWorkflowEnvironment } from './resolve-environment.ts'
import {
  depthOf,
  resolveBudget,
  resolveConcurrency,
  resolveResources,
  resolveRetry,
  taskDefaults,
} from './resolve-policies.ts'
import type {
  ExpressionContext,
  ResolvedCheck,
  ResolvedCommon,
  ResolvedGate,
  ResolvedMap,
  ResolvedTask,
  ResolvedWork,
} from './task-contract.ts'
import {
  type MappedStep,
  type Step,
  type StepOf,
  type WorkflowDefinition,
  workflowLimits,
} from './workflow-contract.ts'
import { workflowErrors } from './workflow-errors.ts'

/**
 * A step with its values filled in, as plain JSON. Values reach `argv` one element each, never split, and scripts only
 * through `env`. Throws `expression-failed`.
 */
export function resolveStep(definition: WorkflowDefinition, stepId: string, context: ExpressionContext): ResolvedTask {
  const full = withEnvironment(definition, context)
  const step = stepOf(definition, stepId)
  switch (step.kind) {
    case 'map':
      return resolveMap(definition, stepId, step, full)
    case 'approval': {
      const { message, who, deadline } = step.approval
      return {
        kind: 'approval',
        ...common(definition, stepId, step),
        message: evaluateText(message, full),
        who: who ?? [],
        deadlineMs: deadline === undefined ? null : parseDuration(deadline),
        default: step.approval.default ?? 'reject',
      }
    }
    case 'gate':
      return resolveGate(definition, stepId, step, full)
    case 'wait': {
      const { wait } = step
      const what = 'for' in wait ? { ms: parseDuration(wait.for) } : { event: wait.event, match: wait.match ?? null }
      return { kind: 'wait', ...common(definition, stepId, step), for: what }
    }
    default:
      return resolveWork(definition, stepId, step, full)
  }
}

/** The task of one item of a map; null where the inner step's `if` is false for it. Throws `expression-failed`. */
export function resolveMapItem(
  definition: WorkflowDefinition,
  stepId: string,
  context: ExpressionContext,
  index: number,
  value: JsonValue,
): ResolvedTask | null {
  const outer = stepOf(definition, stepId)
  if (outer.kind !== 'map') throw new Error(`step ${stepId} is no map`)
  const { as = defaultItemName, step } = outer.map
  const full = withEnvironment(definition, { ...context, item: { name: as, value, index } })
  if (step.if !== undefined && !evaluateCondition(step.if, full)) return null
  const inherited = {
    ...(outer.priority === undefined ? {} : { priority: outer.priority }),
    ...(outer.risky === undefined ? {} : { risky: outer.risky }),
  }
  const labels = { ...outer.labels, ...step.labels }
  return resolveWork(definition, stepId, { ...inherited, ...step, labels }, full)
}

/** Whether the `if` of a step lets it run. Throws `expression-failed`. */
export function stepApplies(definition: WorkflowDefinition, stepId: string, context: ExpressionContext): boolean {
  const condition = stepOf(definition, stepId).if
  return condition === undefined || evaluateCondition(condition, withEnvironment(definition, context))
}

/** Whether `event` (in the context) is the one that a `wait` step waits for. Throws `expression-failed`. */
export function eventMatches(
  definition: WorkflowDefinition,
  match: string | null,
  context: ExpressionContext,
): boolean {
  return match === null || evaluateCondition(match, withEnvironment(definition, context))
}

/** The results of a run. Throws `expression-failed`. */
export function resolveOutputs(definition: WorkflowDefinition, context: ExpressionContext): JsonObject {
  return evaluateJson(definition.outputs, withEnvironment(definition, context)) as JsonObject
}

/** The command that is told when the run has ended; null where there is none. Throws `expression-failed`. */
export function resolveOnEnd(definition: WorkflowDefinition, context: ExpressionContext): readonly string[] | null {
  return definition.onEnd ? argvOf(definition.onEnd, withEnvironment(definition, context), 'onEnd') : null
}

export function stepOf(definition: WorkflowDefinition, stepId: string): Step {
  for (const steps of [definition.steps, definition.finally]) {
    const step = Object.hasOwn(steps, stepId) ? steps[stepId] : undefined
    if (step !== undefined) return step
  }
  throw new Error(`workflow ${definition.name} has no step ${stepId}`)
}

function withEnvironment(definition: WorkflowDefinition, context: ExpressionContext): EvaluationContext {
  return { ...context, env: resolveWorkflowEnvironment(definition, context).env }
}

function common(definition: WorkflowDefinition, stepId: string, step: Step | MappedStep): ResolvedCommon {
  return {
    stepId,
    timeoutMs: step.timeout === undefined ? null : parseDuration(step.timeout),
    priority: step.priority ?? definition.defaults?.priority ?? definition.priority ?? taskDefaults.priority,
    labels: step.labels ?? {},
    risky: step.risky ?? false,
    allowFailure: step.allowFailure ?? false,
  }
}

type Worker = Exclude<MappedStep, { kind: 'workflow' }> | StepOf<'gate'>

function work(definition: WorkflowDefinition, stepId: string, step: Worker, context: EvaluationContext): ResolvedWork {
  const defaults = definition.defaults ?? {}
  const depth = depthOf(step, defaults)
  // A depth that was asked for outweighs the general timeout of the workflow; the tacit standard depth does not.
  const asked = step.kind === 'agent' ? (step.agent.depth ?? defaults.depth) : undefined
  const usual = depth ? depthTable[depth].timeout : taskDefaults.timeout
  const timeout = step.timeout ?? (asked ? depthTable[asked].timeout : defaults.timeout) ?? usual
  const base = common(definition, stepId, step)
  return {
    ...base,
    labels: depth ? { depth: depthTable[depth].label, ...base.labels } : base.labels,
    timeoutMs: parseDuration(timeout),
    retry: resolveRetry(step.retry, defaults),
    resources: resolveResources(step.resources, defaults),
    budget: resolveBudget('budget' in step ? step.budget : undefined, depth),
    concurrency: resolveConcurrency('concurrency' in step ? step.concurrency : undefined, context),
    pool: step.pool ?? defaults.pool ?? null,
    capabilities: step.capabilities ?? [],
    workspace: step.workspace ?? defaults.workspace ?? 'none',
    ...resolveEnvironment(step.env, context, resolveWorkflowEnvironment(definition, context)),
    outputs: 'outputs' in step ? (step.outputs ?? {}) : {},
  }
}

function resolveWork(
  definition: WorkflowDefinition,
  stepId: string,
  step: MappedStep,
  context: EvaluationContext,
): ResolvedTask {
  switch (step.kind) {
    case 'command':
      return {
        kind: 'command',
        ...work(definition, stepId, step, context),
        argv: argvOf(step.command, context, `${stepId}.command`),
        stdin: step.stdin === undefined ? null : evaluateText(step.stdin, context),
      }
    case 'script':
      return {
        kind: 'script',
        ...work(definition, stepId, step, context),
        script: step.script,
        interpreter: step.interpreter ?? ['bash', '-eu'],
      }
    case 'agent': {
      const config = resolveEnvironment(step.agent.config, context)
      return {
        kind: 'agent',
        ...work(definition, stepId, step, context),
        prompt: cleanText(evaluateText(step.agent.prompt, context), `${stepId}.agent.prompt`),
        depth: depthOf(step, definition.defaults ?? {}) ?? 'standard',
        config: config.env,
        secretConfig: config.secretEnv,
      }
    }
    case 'workflow':
      return {
        kind: 'workflow',
        ...common(definition, stepId, step),
        workflow: step.workflow.name,
        version: step.workflow.version ?? null,
        inputs: evaluateJson(step.workflow.inputs ?? {}, context) as JsonObject,
        retry: resolveRetry(step.retry, {}),
        budget: resolveBudget(step.budget, null),
        concurrency: resolveConcurrency(step.concurrency, context),
      }
  }
}

function resolveMap(
  definition: WorkflowDefinition,
  stepId: string,
  step: StepOf<'map'>,
  context: EvaluationContext,
): ResolvedMap {
  const { over, as = defaultItemName, parallel, tolerate = 0 } = step.map
  const list = typeof over === 'string' ? evaluateTemplate(over, context) : evaluateJson(over, context)
  const items = itemsOf(list, stepId)
  return {
    kind: 'map',
    ...common(definition, stepId, step),
    items,
    as,
    parallel: parallel ?? null,
    tolerate:
      typeof tolerate === 'number' ? tolerate : Math.floor((items.length * Number.parseInt(tolerate, 10)) / 100),
  }
}

function itemsOf(value: JsonValue, stepId: string): readonly JsonValue[] {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  const items = isMap ? Object.keys(value).toSorted() : value
  const reason = !Array.isArray(items)
    ? `expected a list, found ${JSON.stringify(value).slice(0, 80)}`
    : items.length > workflowLimits.mapItems
      ? `the list has ${items.length} items, at most ${workflowLimits.mapItems} are allowed`
      : null
  if (reason !== null)
    throw workflowErrors['expression-failed'](`${stepId}.map.over: ${reason}`, { details: { reason } })
  return items as readonly JsonValue[]
}

function resolveGate(
  definition: WorkflowDefinition,
  stepId: string,
  step: StepOf<'gate'>,
  context: EvaluationContext,
): ResolvedGate {
  const { checks, onFail = 'block', who, deadline } = step.gate
  return {
    kind: 'gate',
    ...work(definition, stepId, step, context),
    checks: checks.map((check): ResolvedCheck => {
      const base = { name: check.name, onFail: check.onFail ?? onFail }
      if ('command' in check) return { ...base, argv: argvOf(check.command, context, `${stepId}.${check.name}`) }
      return { ...base, passed: evaluateCondition(check.condition, context) }
    }),
    who: who ?? [],
    deadlineMs: deadline === undefined ? null : parseDuration(deadline),
  }
}

function argvOf(words: readonly string[], context: EvaluationContext, what: string): readonly string[] {
  return words.map((word, index) => cleanText(evaluateText(word, context), `${what}[${index}]`))
}
