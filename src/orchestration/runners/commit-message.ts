import type { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import type { Assignment } from './exchange-contract.ts'

const longestSubject = 72

/**
 * What the commit of an attempt says. The first line is what was to be done, in the words of the task, because it stands in
 * the history that people read; which attempt it was comes below. Commands and scripts have no such words.
 */
export function commitMessage(assignment: Assignment, masker: Pick<SecretMasker, 'text'>): string {
  const { runId, taskId, step, item, attempt, spec } = assignment
  const title = item === null ? step : `${step}[${item}]`
  const origin = `${title}: attempt ${attempt} of ${taskId} in ${runId}`
  const subject = spec.kind === 'agent' ? subjectOf(masker.text(spec.prompt)) : ''
  return subject === '' ? origin : `${subject}\n\n${origin}`
}

/** The first line of the task with words in it; a persona, where there is one, stands before the task. */
function subjectOf(prompt: string): string {
  const task = prompt.slice(prompt.lastIndexOf('# Your task\n') + 1)
  const lines = task.replace(/^ Your task\n/, '').split(/\r?\n/)
  const plain = lines.map((line) => line.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ').trim())
  const first = plain.find((line) => /\p{L}/u.test(line))?.replace(/^[#>*\s-]+/, '') ?? ''
  const letters = [...first]
  return letters.length <= longestSubject
    ? first
    : `${letters
        .slice(0, longestSubject - 1)
        .join('')
        .trimEnd()}…`
}
