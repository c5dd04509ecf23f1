import { checkDefinition } from './check-workflow.ts'
import { refusal } from './parse-workflow.ts'
import { createProblemLog } from './problem.ts'
import type { WorkflowDefinition, WorkflowSource } from './workflow-contract.ts'

type StepSource = WorkflowSource['steps'][string]
type Loose<T> = T extends unknown ? Omit<T, 'kind'> & { readonly kind?: string } : never
/** A workflow as written in TypeScript: the same keys as in YAML. */
export type WorkflowInTypeScript = Omit<WorkflowSource, 'steps' | 'finally'> & {
  readonly steps: Readonly<Record<string, Loose<StepSource>>>
  readonly finally?: Readonly<Record<string, Loose<StepSource>>>
}

/**
 * A workflow in TypeScript, checked like a file. Throws `workflow-invalid`; places are paths, as there are no lines.
 * The value is copied through JSON first, so nothing that could not be stored gets in.
 */
export function defineWorkflow(source: WorkflowInTypeScript): WorkflowDefinition {
  const log = createProblemLog(`defineWorkflow(${JSON.stringify(source.name)})`, () => null)
  const definition = checkDefinition(JSON.parse(JSON.stringify(source)), log)
  if (definition === null) throw refusal(log)
  return definition
}
