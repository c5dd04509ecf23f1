import type { DefinitionProblem, Validation } from '../orchestration/workflows/workflow-endpoints-contract.ts'
import type { CliContext } from './command.ts'
import { oneLine, plural } from './text.ts'

/** Tells what was found in a definition; returns 0 when it can run, 65 when it cannot. */
export function tellValidation({ out }: CliContext, fileName: string, validation: Validation): number {
  const { colors } = out
  out.document({ type: 'validation', file: fileName, ...validation })
  for (const problem of validation.problems) out.lines(`${colors.red('✖')} ${lineOf(problem)}`)
  for (const problem of validation.warnings) out.lines(`${colors.yellow('!')} ${lineOf(problem)}`)
  if (validation.valid) {
    out.lines(
      `${colors.green('✔')} ${oneLine(validation.name ?? fileName)} can run: ${plural(validation.steps, 'step')}`,
    )
    return 0
  }
  out.note(`${colors.cyan('next')}  correct the lines above; docs/guides/workflows.md describes the language`)
  return 65
}

/** `flow.yaml:12:5: steps.build: message (expected ...)`, as compilers write it. */
function lineOf({ file, line, column, path, message, expected }: DefinitionProblem): string {
  const place = line === null ? file : `${file}:${line}:${column}`
  return oneLine(
    `${place}: ${path === '' ? '' : `${path}: `}${message}${expected === null ? '' : ` (expected ${expected})`}`,
    1_000,
  )
}
