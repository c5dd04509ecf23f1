import type { Client } from '../client/client.ts'
import type { ApprovalView } from '../orchestration/approvals/approvals-contract.ts'
import {
  answerQuestion,
  listQuestions,
  type QuestionView,
  showQuestion,
} from '../orchestration/questions/questions-contract.ts'
import { askedLines } from './approval-lines.ts'
import { cliErrors } from './cli-errors.ts'
import type { CliContext } from './command.ts'
import { withConnection } from './connect.ts'
import { oneLine, printable } from './text.ts'

export interface QuestionAnswer {
  readonly choice?: string
  readonly text?: string
  /** The choice with this meaning. */
  readonly meaning?: 'allow-once' | 'reject-once'
}

/** Questions of agents beside the approvals of a state. */
export async function listOfAgents(
  client: Client,
  state: ApprovalView['state'],
  run?: string,
): Promise<readonly QuestionView[]> {
  const ours = {
    pending: 'pending',
    approved: 'answered',
    rejected: 'answered',
    expired: 'expired',
    withdrawn: 'withdrawn',
  } as const
  const { items } = await client.call(listQuestions, {
    query: { state: ours[state], ...(run === undefined ? {} : { run }) },
  })
  const meant = (item: QuestionView) => item.choices.find(({ id }) => id === item.choice)?.meaning ?? ''
  if (state === 'approved') return items.filter((item) => !meant(item).startsWith('reject'))
  return state === 'rejected' ? items.filter((item) => meant(item).startsWith('reject')) : items
}

export function questionLines(item: QuestionView, colors: CliContext['out']['colors']): string[] {
  const choices = item.choices.map(({ id, label }) => `${id} (${oneLine(label, 40)})`).join(', ')
  const words = item.freeText ? `${choices === '' ? '' : ', or '}in words` : ''
  const answer =
    item.answeredBy === null ? '' : `: ${item.choice ?? ''} ${printable(item.text ?? '')} by ${item.answeredBy}`
  const atDeadline = item.default ?? item.defaultChoice ?? 'no answer'
  return [
    `${colors.bold(item.id)}  ${item.state}${answer}, until ${item.deadlineAt} (then ${atDeadline})`,
    `  ${oneLine(item.step)} of ${item.runId}: an agent asks`,
    `  ${printable(item.message)}`,
    `  ${colors.dim(`choices: ${choices}${words}`)}`,
    ...(item.count > 1 && item.state === 'pending'
      ? [
          `  ${item.count} must answer alike: ${item.votes.map(({ by, choice }) => `${by} ${choice}`).join(', ') || 'nobody has yet'}`,
        ]
      : []),
  ]
}

export async function showOfAgent(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const item = await client.call(showQuestion, { params: { id } })
    out.document(item)
    out.lines(...questionLines(item, out.colors), ...askedLines(item))
  })
}

/** Answers an agent; a meaning stands for the choice that has it. */
export async function answerOfAgent(context: CliContext, id: string, answer: QuestionAnswer): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const choice = answer.choice ?? (answer.meaning === undefined ? undefined : await find(client, id, answer.meaning))
    const body = {
      ...(choice === undefined ? {} : { choice }),
      ...(answer.text === undefined ? {} : { text: answer.text }),
    }
    const item = await client.call(answerQuestion, { params: { id }, body })
    out.document(item)
    out.lines(`${out.colors.green('✔')} ${item.id} is ${item.state}${item.choice === null ? '' : `: ${item.choice}`}`)
  })
}

async function find(client: Client, id: string, meaning: QuestionAnswer['meaning']): Promise<string> {
  const { choices } = await client.call(showQuestion, { params: { id } })
  const found = choices.find((choice) => choice.meaning === meaning)
  if (found !== undefined) return found.id
  throw cliErrors['choice-missing'](`${id} has no choice that means ${meaning}`)
}
