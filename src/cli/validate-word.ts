import { isAppError } from '../foundation/kernel/errors.ts'
import type { Config } from '../foundation/platform/config/config.ts'
import type { DefinitionProblem } from '../orchestration/workflows/workflow-endpoints-contract.ts'
import type { CliContext } from './command.ts'
import { usageError } from './failure.ts'
import { tellValidation } from './tell-validation.ts'
import { findSource } from './workflow-source.ts'

/** Checks the workflow behind a word, and inputs if given; returns 0 when it can run, 65 when it cannot. */
export async function validateWord(
  context: CliContext,
  word: string,
  config: Config,
  inputs?: Readonly<Record<string, string>>,
): Promise<number> {
  try {
    const source = await findSource(word, { cwd: context.cwd, config, signal: context.interrupts.signal })
    if (source === null) throw usageError(`no workflow is called ${word}; \`leanvibe workflows list\` shows them`)
    const [{ validateSource }, { openPersonas }] = await Promise.all([
      import('../app/definitions.ts'),
      import('../app/personas.ts'),
    ])
    return tellValidation(context, source.fileName, validateSource(source, inputs, openPersonas(config)))
  } catch (error) {
    // A module checks its workflow while it is loaded.
    if (!isAppError(error, 'workflow-invalid')) throw error
    const problems = error.details.problems as DefinitionProblem[]
    return tellValidation(context, word, { valid: false, name: null, steps: 0, problems, warnings: [] })
  }
}
