import type { AppError } from '../../foundation/kernel/errors.ts'
import { checkDefinition } from './check-workflow.ts'
import { formatProblem, inOrder, type Problem, type ProblemLog } from './problem.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'
import { workflowErrors } from './workflow-errors.ts'
import { readYaml } from './yaml-source.ts'

export interface ParsedWorkflow {
  readonly definition: WorkflowDefinition
  /** What is allowed and yet hardly meant. */
  readonly warnings: readonly Problem[]
}

/**
 * Reads a workflow file. Throws `workflow-invalid` with every problem in `details.problems` and, one a line as
 * `file:line:column: path: message (expected ...)`, in the message.
 */
export function parseWorkflow(text: string, file: string): ParsedWorkflow {
  const { value, log } = readYaml(text, file)
  const definition = log.problems.length > 0 ? null : checkDefinition(value, log)
  if (definition === null || log.problems.length > 0) throw refusal(log)
  return { definition, warnings: inOrder(log.warnings) }
}

export function refusal(log: ProblemLog): AppError {
  const problems = inOrder(log.problems)
  return workflowErrors['workflow-invalid'](problems.map(formatProblem).join('\n'), { details: { problems } })
}
