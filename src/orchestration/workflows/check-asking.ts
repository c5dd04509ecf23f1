import { parseDuration } from '../../foundation/kernel/units.ts'
import { decisionWords } from '../approvals/approval-rules-contract.ts'
import type { Asking } from './asking-contract.ts'
import type { ProblemLog } from './problem.ts'

type Path = readonly (string | number)[]

/** What the shape alone cannot say about how people are asked. */
export function checkAsking(asking: Asking, path: Path, log: ProblemLog): void {
  const { choices = [], deadline, escalate = [], count = 1, freeText = false } = asking
  for (const [index, { id }] of choices.entries()) {
    const at = [...path, 'choices', index]
    if ((decisionWords as readonly string[]).includes(id)) log.report(at, `no choice can be called ${id}`)
    if (choices.findIndex((other) => other.id === id) < index) log.report(at, `two choices are called ${id}`)
  }
  const isQuestion = choices.length > 0 || freeText
  if (isQuestion && count > 1) {
    log.report([...path, 'count'], `found ${count}`, { expected: '1, where there is an answer to choose' })
  }
  checkDefault(asking, isQuestion, path, log)
  const atDeadline = escalate.findIndex(({ after }) => after === undefined)
  if (atDeadline >= 0 && (deadline === undefined || asking.default !== 'escalate')) {
    log.report([...path, 'escalate', atDeadline], 'it says no time, and nothing escalates at the deadline', {
      expected: 'after, or a deadline with default: escalate',
    })
  }
  for (const [index, { after }] of escalate.entries()) {
    const before = escalate[index - 1]?.after
    const at = [...path, 'escalate', index, 'after']
    if (after !== undefined && parseDuration(after) <= 0) log.report(at, `found ${after}`, { expected: 'more than 0' })
    if (after !== undefined && before !== undefined && parseDuration(after) < parseDuration(before)) {
      log.report(at, `found ${after}`, { expected: `no less than ${before}, the time of the level before` })
    }
  }
}

function checkDefault(asking: Asking, isQuestion: boolean, path: Path, log: ProblemLog): void {
  const { default: value, choices = [], deadline, escalate = [] } = asking
  if (value === undefined) return
  const at = [...path, 'default']
  const known = isQuestion ? ['reject', 'escalate', ...choices.map(({ id }) => id)] : [...decisionWords]
  if (!known.includes(value)) log.report(at, `found ${value}`, { expected: `one of ${known.join(', ')}` })
  else if (deadline === undefined)
    log.report(at, 'it is for the deadline, and there is none', { expected: 'a deadline' })
  else if (value === 'escalate' && escalate.length === 0) {
    log.report(at, 'there is nobody to escalate to', { expected: 'escalate: { to: [...] }' })
  }
}
