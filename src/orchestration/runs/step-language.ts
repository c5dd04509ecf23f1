import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ExpressionContext, ResolvedTask, WorkflowDefinition } from '../workflows/workflow-contract.ts'

/** What runs need of the workflow language; the `workflows` part provides it. Each throws `expression-failed` and the like. */
export interface StepLanguage {
  /** Whether the `if` of a step lets it run; with an item in the context, whether the `if` inside the map does. */
  evaluateIf(definition: WorkflowDefinition, step: string, context: ExpressionContext): boolean
  /** The step with its values filled in. */
  resolveStep(definition: WorkflowDefinition, step: string, context: ExpressionContext): ResolvedTask
  /** One item of a map, which is in the context. */
  resolveItem(definition: WorkflowDefinition, step: string, context: ExpressionContext): ResolvedTask
  itemNameOf(definition: WorkflowDefinition, step: string): string
  /** The steps whose outputs the expressions of a step read; null: those of the run's outputs and of `onEnd`. */
  referencedSteps(definition: WorkflowDefinition, step: string | null): ReadonlySet<string>
  resolveOutputs(definition: WorkflowDefinition, context: ExpressionContext): JsonObject
  resolveOnEnd(definition: WorkflowDefinition, context: ExpressionContext): readonly string[] | null
  /** Whether an event ends a wait of its type. */
  eventMatches(wait: { readonly match: string | null; readonly context: JsonObject }, event: JsonObject): boolean
}
