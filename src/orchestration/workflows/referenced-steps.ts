import { referencesOf } from './check-expressions.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'

const known = new WeakMap<WorkflowDefinition, ReadonlyMap<string | null, ReadonlySet<string>>>()

/** The steps whose state, outputs or error the expressions of `stepId` read (null: the outputs of the run and `onEnd`). */
export function referencedSteps(definition: WorkflowDefinition, stepId: string | null): ReadonlySet<string> {
  const references = known.get(definition) ?? referencesOf(definition)
  known.set(definition, references)
  return references.get(stepId) ?? new Set()
}
