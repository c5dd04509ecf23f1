import type { ApprovalView } from '../orchestration/approvals/approvals-contract.ts'
import type { CliContext } from './command.ts'
import { oneLine, printable } from './text.ts'

type Colors = CliContext['out']['colors']

/** An approval in a list: what is asked, of whom, and until when. */
export function approvalLines(item: ApprovalView, colors: Colors): string[] {
  const deadline = item.deadlineAt === null ? '' : `, until ${item.deadlineAt} (then ${item.default ?? 'reject'})`
  const needed = item.count > 1 ? `, ${item.answers.length} of ${item.count}` : ''
  return [
    `${colors.bold(item.id)}  ${item.state}${needed}${deadline}`,
    `  ${oneLine(item.step)} of ${item.runId}`,
    `  ${printable(item.message)}`,
    ...(item.choices.length > 0 || item.freeText ? [`  ${colors.dim(`choices: ${choicesOf(item)}`)}`] : []),
    ...(item.comment === null ? [] : [`  ${colors.dim(`${item.answeredBy ?? ''}: ${printable(item.comment)}`)}`]),
  ]
}

/** Everything: who may answer, who has, and what happens if nobody does. */
export function approvalDetails(item: ApprovalView, colors: Colors): string[] {
  const who = item.who.length === 0 ? 'whoever may approve' : item.who.map((name) => oneLine(name)).join(', ')
  const own = item.requesterMayApprove ? [] : [`  not      ${item.requesters.join(', ') || 'whoever started the run'}`]
  const levels = item.escalate.map(({ afterMs, to }, index) => {
    const when = afterMs === null ? 'at the deadline' : `after ${Math.round(afterMs / 1_000)} s`
    return `  ${index < item.level ? 'asked too' : 'then asks'}  ${to.join(', ')} (${when})`
  })
  const answers = item.answers.map(({ by, decision, choice, text, comment, at }) => {
    const what = [choice, text, comment].filter((part) => part !== null).map((part) => printable(part))
    return `  ${at}  ${by}: ${decision === 'approve' ? 'yes' : 'no'}${what.length === 0 ? '' : `, ${what.join(', ')}`}`
  })
  const silent = item.answers.length === 0 && item.answeredBy !== null ? [`  answered by ${item.answeredBy}`] : []
  return [...approvalLines(item, colors), `  asks     ${who}`, ...own, ...levels, ...answers, ...silent]
}

function choicesOf({ choices, freeText }: ApprovalView): string {
  const named = choices.map(({ id, label }) => (id === label ? id : `${id} (${oneLine(label, 40)})`))
  return [...named, ...(freeText ? ['in words'] : [])].join(', ')
}
