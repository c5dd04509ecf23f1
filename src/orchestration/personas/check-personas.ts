import { messageOf } from '../../foundation/kernel/errors.ts'
import type { Problem } from '../workflows/problem.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { PersonaFiles } from './persona-files.ts'

/** Personas that steps name and that are not there, or whose files are wrong. What an expression names is known later. */
export function checkPersonas(
  { steps, finally: last }: WorkflowDefinition,
  personas: Pick<PersonaFiles, 'find'>,
  source: { readonly text: string; readonly fileName: string },
): readonly Problem[] {
  return Object.entries({ ...steps, ...last }).flatMap(([id, step]): Problem[] => {
    const inner = step.kind === 'map' ? step.map.step : step
    const name = inner.kind === 'agent' ? inner.agent.persona : undefined
    if (name === undefined || name === '' || name.includes('${{')) return []
    try {
      personas.find(name)
      return []
    } catch (error) {
      const path = `${Object.hasOwn(steps, id) ? 'steps' : 'finally'}.${id}.${step.kind === 'map' ? 'map.step.' : ''}agent.persona`
      return [{ file: source.fileName, ...placeOf(source.text, name), path, message: messageOf(error), expected: null }]
    }
  })
}

/** The first place where the name is given to a step; null in a definition that was made by a program. */
function placeOf(text: string, name: string): Pick<Problem, 'line' | 'column'> {
  for (const [index, line] of text.split('\n').entries()) {
    const at = /(?:^|[\s{,"'])persona["']?\s*:\s*["']?/.exec(line)
    const from = at === null ? -1 : at.index + at[0].length
    if (at !== null && line.startsWith(name, from)) return { line: index + 1, column: from + 1 }
  }
  return { line: null, column: null }
}
