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
  const own = item.requesterMayApprove ? [] : [`  not      ${item.requesters.join(', ') || 'whoever started the run'}`]
  const answers = item.answers.map(({ by, decision, choice, text, comment, at }) => {
    const what = [choice, text, comment].filter((part) => part !== null).map((part) => printable(part))
    return `  ${at}  ${by}: ${decision === 'approve' ? 'yes' : 'no'}${what.length === 0 ? '' : `, ${what.join(', ')}`}`
  })
  const silent = item.answers.length === 0 && item.answeredBy !== null ? [`  answered by ${item.answeredBy}`] : []
  return [...approvalLines(item, colors), ...own, ...askedLines(item), ...answers, ...silent]
}

/** Who is asked, and who is asked as well while nobody answers; of approvals and of questions of agents. */
export function askedLines({ who, escalate, level }: Pick<ApprovalView, 'who' | 'escalate' | 'level'>): string[] {
  const named = who.length === 0 ? 'whoever may approve' : who.map((name) => oneLine(name)).join(', ')
  const levels = escalate.map(({ afterMs, to }, index) => {
    const when = afterMs === null ? 'at the deadline' : `after ${Math.round(afterMs / 1_000)} s`
    return `  ${index < level ? 'asked too' : 'then asks'}  ${to.map((name) => oneLine(name)).join(', ')} (${when})`
  })
  return [`  asks     ${named}`, ...levels]
}

function choicesOf({ choices, freeText }: ApprovalView): string {
  const named = choices.map(({ id, label }) => (id === label ? id : `${id} (${oneLine(label, 40)})`))
  return [...named, ...(freeText ? ['in words'] : [])].join(', ')
}
