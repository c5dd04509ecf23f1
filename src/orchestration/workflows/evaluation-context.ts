import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import { depthTable } from './depth-table-contract.ts'
import type { EvaluationContext } from './expressions.ts'
import { type ResolvedEnvironment, resolveEnvironment } from './resolve-environment.ts'
import { outputsOf } from './step-outputs.ts'
import type { ExpressionContext, StepView } from './task-contract.ts'
import type { Depth, WorkflowDefinition } from './workflow-contract.ts'

/** A context as expressions see it, and the workflow's own environment, filled in. */
export interface PreparedContext {
  readonly context: EvaluationContext
  readonly environment: ResolvedEnvironment
  /** The depth that the run was started with. */
  readonly askedDepth: Depth | null
}

interface Prepared extends PreparedContext {
  readonly definition: WorkflowDefinition
  readonly source: ExpressionContext
}

/** By the map of steps, which stays the same object while the items of a map are gone through. */
const recent = new WeakMap<object, Prepared>()

/**
 * Adds what the definition knows to what the run knows: `env`, and null for each declared output that a step did not
 * give (it was skipped, or it failed), so that expressions can ask. Throws `expression-failed`.
 */
export function prepareContext(definition: WorkflowDefinition, source: ExpressionContext): PreparedContext {
  const known = recent.get(source.steps)
  const { item, event } = source
  const extra = { ...(item ? { item } : {}), ...(event ? { event } : {}) }
  if (known && known.definition === definition && sameRun(known.source, source)) {
    return { ...known, context: { ...known.context, ...extra } }
  }
  const { inputs, repo } = source
  const askedDepth = source.run.depth ?? null
  const depth = askedDepth ?? definition.defaults?.depth ?? 'standard'
  const run = { agents: true, ...source.run, depth, reviewers: [...depthTable[depth].reviewers] }
  const environment = resolveEnvironment(definition.env, { inputs, run, repo, steps: {} })
  const context = { inputs, run, repo, steps: completeViews(definition, source.steps), env: environment.env }
  recent.set(source.steps, { definition, source, environment, context, askedDepth })
  return { environment, askedDepth, context: { ...context, ...extra } }
}

function sameRun(a: ExpressionContext, b: ExpressionContext): boolean {
  return a.inputs === b.inputs && a.run === b.run && a.repo === b.repo
}

function completeViews(
  definition: WorkflowDefinition,
  views: ExpressionContext['steps'],
): Readonly<Record<string, StepView>> {
  return Object.fromEntries(
    Object.entries(views).map(([id, view]): [string, StepView] => {
      const step = Object.hasOwn(definition.steps, id) ? definition.steps[id] : definition.finally[id]
      const absent: JsonValue = step?.kind === 'map' ? [] : null
      const declared = (step && outputsOf(step)) ?? []
      const nothing: JsonObject = Object.fromEntries(declared.map((name) => [name, absent]))
      return [id, { state: view.state, outputs: { ...nothing, ...view.outputs }, error: view.error ?? null }]
    }),
  )
}
