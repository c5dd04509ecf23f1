import type { Client } from '../../client/client.ts'
import { type ApprovalView, answerApproval, approve, reject } from '../../orchestration/approvals/approvals-contract.ts'
import { approvalLines } from '../approval-lines.ts'
import type { Output } from '../output.ts'

export interface Verdict {
  readonly decision: 'approve' | 'reject'
  readonly comment?: string | undefined
  readonly choice?: string | undefined
  readonly text?: string | undefined
}

/** Asks the person at the terminal. Null: there is nobody any more. */
export type Prompt = (question: string) => Promise<string | null>

/** Puts the questions of a run to the person at the terminal, one by one. Returns those that were answered. */
export async function askAbout(
  pending: readonly ApprovalView[],
  tools: { readonly client: Client; readonly out: Output; readonly prompt: Prompt; readonly showDiff: () => void },
): Promise<readonly ApprovalView[]> {
  const { client, out, prompt, showDiff } = tools
  const answered: ApprovalView[] = []
  for (const item of pending) {
    out.lines('', ...approvalLines(item, out.colors))
    const verdict = await askOne(item, prompt, showDiff)
    if (verdict === null) continue
    const after = await give(client, item, verdict)
    answered.push(after)
    out.lines(`${out.colors.green('✔')} ${after.id} is ${after.state}`)
  }
  return answered
}

export function give(client: Client, { id }: ApprovalView, verdict: Verdict): Promise<ApprovalView> {
  const { decision, comment, choice, text } = verdict
  const words = comment === undefined || comment === '' ? {} : { comment }
  if (decision === 'reject') return client.call(reject, { params: { id }, body: words })
  if (choice === undefined && text === undefined) return client.call(approve, { params: { id }, body: words })
  const answer = { ...(choice === undefined ? {} : { choice }), ...(text === undefined ? {} : { text }) }
  return client.call(answerApproval, { params: { id }, body: { ...answer, ...words } })
}

/** Null: left for later. */
async function askOne(item: ApprovalView, prompt: Prompt, showDiff: () => void): Promise<Verdict | null> {
  const isQuestion = item.choices.length > 0 || item.freeText
  const words = isQuestion ? 'answer, reject, diff, later' : 'approve, reject, diff, later'
  for (;;) {
    const said = (await prompt(`${words} [later]: `))?.trim().toLowerCase()
    if (said === undefined || said === '' || said === 'later' || said === 'l') return null
    if (said === 'diff' || said === 'd') {
      showDiff()
      continue
    }
    const wanted = decisionOf(said)
    if (wanted === null) continue
    const answer = wanted === 'approve' && isQuestion ? await askAnswer(item, prompt) : {}
    if (answer === null) continue
    const comment = await prompt('why (may stay empty): ')
    return comment === null ? null : { decision: wanted, comment: comment.trim(), ...answer }
  }
}

function decisionOf(said: string): Verdict['decision'] | null {
  if (['a', 'y', 'yes', 'approve', 'answer'].includes(said)) return 'approve'
  return ['r', 'n', 'no', 'reject'].includes(said) ? 'reject' : null
}

async function askAnswer(item: ApprovalView, prompt: Prompt): Promise<Pick<Verdict, 'choice' | 'text'> | null> {
  const names = item.choices.map(({ id }) => id)
  const said = (await prompt(names.length === 0 ? 'answer: ' : `${names.join(', ')}: `))?.trim() ?? ''
  if (names.includes(said)) return { choice: said }
  return item.freeText && said !== '' ? { text: said } : null
}
