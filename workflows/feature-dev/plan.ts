import { text } from 'node:stream/consumers'
import { defineErrors } from '../../src/foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../src/foundation/kernel/json.ts'
import { parseArguments, printOutcome } from '../repo-checkup/program.ts'
import { jsonIn, textOf } from './read-answer.ts'

export const planErrors = defineErrors({
  'feature-parts-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the parts given to feature-dev are no list of pieces of work',
    next: 'Give --input parts=[{"title":"...","task":"..."}], or leave it out and let an agent plan.',
  },
})

/** One piece of work, done in a worktree of its own. */
export interface Part {
  readonly title: string
  readonly task: string
  readonly persona: string
  /** Globs of the files that it means to change. */
  readonly paths: readonly string[]
}

const mostParts = 12
const makers = new Set(['backend', 'frontend', 'infra', 'debugger', 'documenter', 'optimizer'])

/** The plan out of what was given, or out of what a planner said; one part where that says nothing usable. */
export function readPlan(task: string, given: JsonValue, said: string): { parts: readonly Part[]; note: string } {
  if (given !== null) {
    const parts = partsOf(given)
    if (parts.length === 0) throw planErrors['feature-parts-invalid']('expected a list with at least one task')
    return { parts, note: 'The parts were given.' }
  }
  const answer = jsonIn(said)
  const parts = partsOf(answer?.parts ?? null)
  if (parts.length > 0) return { parts, note: textOf(answer?.note, 2_000) || `Planned as ${parts.length}.` }
  const title = task.split('\n')[0]!.slice(0, 80)
  return {
    parts: [{ title, task, persona: 'backend', paths: [] }],
    note: 'The planner named no parts: it is done as one.',
  }
}

function partsOf(value: JsonValue): readonly Part[] {
  if (!Array.isArray(value)) return []
  return (value as readonly JsonValue[]).slice(0, mostParts).flatMap((each): Part[] => {
    const part = (typeof each === 'string' ? { task: each } : each) as JsonObject | null
    const task = textOf(part?.task, 8_000)
    if (task === '') return []
    const persona = textOf(part?.persona, 63)
    const paths = Array.isArray(part?.paths) ? (part.paths as JsonValue[]) : []
    return [
      {
        title: textOf(part?.title, 80) || task.split('\n')[0]!.slice(0, 80),
        task,
        persona: makers.has(persona) ? persona : 'backend',
        paths: paths.filter((path): path is string => typeof path === 'string' && path !== '').slice(0, 50),
      },
    ]
  })
}

export async function main(argv: readonly string[]): Promise<void> {
  await printOutcome(async () => {
    const value = { type: 'string' as const }
    const { task = '', given = '' } = parseArguments(argv, { task: value, given: value })
    return readPlan(task, given === '' ? null : (JSON.parse(given) as JsonValue), await text(process.stdin))
  })
}

if (import.meta.main) await main(process.argv.slice(2))
