import { stringify } from 'yaml'
import type { WorkflowDefinition } from './workflow-contract.ts'

/** A definition as YAML; reading it again gives the same definition. */
export function printWorkflow(definition: WorkflowDefinition): string {
  return stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })
}
