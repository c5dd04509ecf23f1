import { isAppError } from '../foundation/kernel/errors.ts'
import type { JsonObject } from '../foundation/kernel/json.ts'
import { checkPersonas } from '../orchestration/personas/check-personas.ts'
import type { PersonaFiles } from '../orchestration/personas/persona-files.ts'
import { type Problem, parseWorkflow, readInputTexts, resolveInputs } from '../orchestration/workflows/index.ts'
import { stepsThatNeedRepository } from '../orchestration/workflows/needs-repository.ts'
import { type FoundWorkflow, toDetail, toSummary } from '../orchestration/workflows/workflow-details.ts'
import type {
  Validation,
  WorkflowDetail,
  WorkflowSummary,
} from '../orchestration/workflows/workflow-endpoints-contract.ts'

/** A workflow as text. `fileName` is what messages call it. */
export interface SourceText {
  readonly text: string
  readonly fileName: string
}

/** Checks a definition, and `inputs` (texts of a command line) if given. Findings are the answer; nothing is thrown for them. */
export function validateSource(
  source: SourceText,
  inputs?: Readonly<Record<string, string>>,
  /** Those that steps may name. Default: they are not looked for. */
  personas?: PersonaFiles,
): Validation {
  try {
    const { definition, warnings } = parseWorkflow(source.text, source.fileName)
    const steps = Object.keys(definition.steps).length + Object.keys(definition.finally).length
    const unfit =
      inputs === undefined
        ? []
        : inputProblems(source, () => resolveInputs(definition, readInputTexts(definition, inputs)))
    const problems = [...(personas === undefined ? [] : checkPersonas(definition, personas, source)), ...unfit]
    return { valid: problems.length === 0, name: definition.name, steps, problems, warnings: [...warnings] }
  } catch (error) {
    if (!isAppError(error, 'workflow-invalid')) throw error
    const problems = error.details.problems as Problem[]
    return { valid: false, name: null, steps: 0, problems, warnings: [] }
  }
}

/** A definition of the project that only this call knows, as the platform would list it. */
export function summariseSource(name: string, source: SourceText): WorkflowSummary {
  return toSummary(foundIn(name, source), null)
}

/** Throws `workflow-invalid`. */
export function describeSource(name: string, source: SourceText): WorkflowDetail {
  return toDetail(foundIn(name, source), null)
}

function foundIn(name: string, { text, fileName }: SourceText): FoundWorkflow {
  return { name, origin: 'project', text, file: fileName }
}

/** The steps of a definition that cannot do without a repository; none where it cannot be read, which others tell. */
export function repositoryUsersIn({ text, fileName }: SourceText): readonly string[] {
  try {
    return stepsThatNeedRepository(parseWorkflow(text, fileName).definition)
  } catch (error) {
    if (!isAppError(error, 'workflow-invalid')) throw error
    return []
  }
}

/** Texts of a command line as the types the workflow declares. Throws `workflow-invalid` where the source is not one. */
export function readSourceInputs(source: SourceText, texts: Readonly<Record<string, string>>): JsonObject {
  return readInputTexts(parseWorkflow(source.text, source.fileName).definition, texts)
}

function inputProblems(source: SourceText, check: () => unknown): Problem[] {
  try {
    check()
    return []
  } catch (error) {
    if (!isAppError(error, 'workflow-inputs-invalid')) throw error
    return [{ file: source.fileName, line: null, column: null, path: 'inputs', message: error.message, expected: null }]
  }
}
