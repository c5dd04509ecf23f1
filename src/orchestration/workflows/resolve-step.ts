import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { explainArtifact, isArtifactValue } from './artifact-value.ts'
import { compileCel } from './cel.ts'
import { freeNames } from './cel-ast.ts'
import { prepareContext } from './evaluation-context.ts'
import { defaultItemName } from './expression-sites.ts'
import {
  type EvaluationContext,
  evaluateCondition,
  evaluateJson,
  evaluateTemplate,
  evaluateText,
} from './expressions.ts'
import { referencedSteps } from './referenced-steps.ts'
import { resolveAsking } from './resolve-asking.ts'
import { argvOf, resolveCommon, resolveGate, resolveWork } from './resolve-work.ts'
import type { ExpressionContext, ResolvedMap, ResolvedTask, ResolvedWait } from './task-contract.ts'
import { type Step, type StepOf, type WorkflowDefinition, workflowLimits } from './workflow-contract.ts'
import { workflowErrors } from './workflow-errors.ts'

/**
 * A step with its values filled in, as plain JSON. Values reach `argv` one element each, never split, and scripts only
 * through `env`. Throws `expression-failed`.
 */
export function resolveStep(definition: WorkflowDefinition, stepId: string, context: ExpressionContext): ResolvedTask {
  const prepared = prepareContext(definition, context)
  const full = prepared.context
  const step = stepOf(definition, stepId)
  switch (step.kind) {
    case 'map':
      return resolveMap(definition, stepId, step, full)
    case 'approval': {
      return {
        kind: 'approval',
        ...resolveCommon(definition, stepId, step),
        message: evaluateText(step.approval.message, full),
        ...resolveAsking(step.approval, `${definition.name}/${stepId}`, full),
      }
    }
    case 'gate':
      return resolveGate(definition, stepId, step, prepared)
    case 'wait': {
      return { kind: 'wait', ...resolveCommon(definition, stepId, step), for: waitOf(definition, stepId, step, full) }
    }
    default:
      return resolveWork(definition, stepId, step, prepared)
  }
}

/** The task of one item of a map; the item is in the context. Throws `expression-failed`. */
export function resolveItem(definition: WorkflowDefinition, stepId: string, context: ExpressionContext): ResolvedTask {
  const outer = mapOf(definition, stepId)
  const { step } = outer.map
  const inherited = {
    ...(outer.priority === undefined ? {} : { priority: outer.priority }),
    ...(outer.risky === undefined ? {} : { risky: outer.risky }),
  }
  const labels = { ...outer.labels, ...step.labels }
  return resolveWork(definition, stepId, { ...inherited, ...step, labels }, prepareContext(definition, context))
}

/** The name under which a map offers its items to expressions. */
export function itemNameOf(definition: WorkflowDefinition, stepId: string): string {
  return mapOf(definition, stepId).map.as ?? defaultItemName
}

/**
 * Whether the `if` of a step lets it run; with an item in the context, whether the `if` inside the map lets that item
 * run. Throws `expression-failed`.
 */
export function evaluateIf(definition: WorkflowDefinition, stepId: string, context: ExpressionContext): boolean {
  const step = context.item === undefined ? stepOf(definition, stepId) : mapOf(definition, stepId).map.step
  return step.if === undefined || evaluateCondition(step.if, prepareContext(definition, context).context)
}

/** Whether an event (its type has been compared) is the one that a resolved `wait` waits for. Throws `expression-failed`. */
export function eventMatches(wait: { match: string | null; context: JsonObject }, event: JsonObject): boolean {
  return (
    wait.match === null || evaluateCondition(wait.match, { ...(wait.context as object), event } as EvaluationContext)
  )
}

/** The results of a run. Throws `expression-failed`. */
export function resolveOutputs(definition: WorkflowDefinition, context: ExpressionContext): JsonObject {
  return evaluateJson(definition.outputs, prepareContext(definition, context).context) as JsonObject
}

/** The command that is told when the run has ended; null where there is none. Throws `expression-failed`. */
export function resolveOnEnd(definition: WorkflowDefinition, context: ExpressionContext): readonly string[] | null {
  return definition.onEnd ? argvOf(definition.onEnd, prepareContext(definition, context).context, 'onEnd') : null
}

export function stepOf(definition: WorkflowDefinition, stepId: string): Step {
  for (const steps of [definition.steps, definition.finally]) {
    const step = Object.hasOwn(steps, stepId) ? steps[stepId] : undefined
    if (step !== undefined) return step
  }
  throw new Error(`workflow ${definition.name} has no step ${stepId}`)
}

function mapOf(definition: WorkflowDefinition, stepId: string): StepOf<'map'> {
  const step = stepOf(definition, stepId)
  if (step.kind !== 'map') throw new Error(`step ${stepId} of workflow ${definition.name} is no map`)
  return step
}

/** A wait carries what its condition reads, so that an event can be judged without the run at hand. */
function waitOf(
  definition: WorkflowDefinition,
  stepId: string,
  step: StepOf<'wait'>,
  context: EvaluationContext,
): ResolvedWait['for'] {
  if ('for' in step.wait) return { ms: parseDuration(step.wait.for) }
  const { event, match = null } = step.wait
  const names = match === null ? new Set<string>() : freeNames(compileCel(match).ast)
  const steps = Object.entries(context.steps).filter(([id]) => referencedSteps(definition, stepId).has(id))
  const all: Record<string, unknown> = { ...context, steps: Object.fromEntries(steps) }
  const read = Object.entries(all).filter(([name, value]) => names.has(name) && value !== undefined)
  return { event, match, context: Object.fromEntries(read) as JsonObject }
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
    ...resolveCommon(definition, stepId, step),
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
  const reason = isArtifactValue(value)
    ? explainArtifact(value)
    : !Array.isArray(items)
      ? `expected a list, found ${JSON.stringify(value).slice(0, 80)}`
      : items.length > workflowLimits.mapItems
        ? `the list has ${items.length} items, at most ${workflowLimits.mapItems} are allowed`
        : null
  if (reason !== null)
    throw workflowErrors['expression-failed'](`${stepId}.map.over: ${reason}`, { details: { reason } })
  return items as readonly JsonValue[]
}
