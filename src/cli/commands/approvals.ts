import { Option } from 'commander'
import {
  type ApprovalView,
  answerApproval,
  approvalStateSchema,
  approve,
  listApprovals,
  reject,
  showApproval,
} from '../../orchestration/approvals/approvals-contract.ts'
import { answerOfAgent, listOfAgents, type QuestionAnswer, questionLines, showOfAgent } from '../agent-questions.ts'
import { approvalDetails, approvalLines } from '../approval-lines.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { type Connection, withConnection } from '../connect.ts'

export const approvals: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list questions to people')
      .addOption(
        new Option('--state <state>', 'only those in this state')
          .choices(approvalStateSchema.options)
          .default('pending'),
      )
      .option('--run <run>', 'only those of this run')
      .action(act(list))
    command
      .command('show')
      .description('show a question: who may answer, who has, and what happens if nobody does')
      .argument('<approval>')
      .action(act(show))
    command
      .command('approve')
      .description('answer yes: the step succeeds as soon as enough have')
      .argument('<approval>')
      .option('--comment <text>', 'kept with the answer')
      .action(act((context, id: string, options: AnswerOptions) => decide(context, approve, id, options)))
    command
      .command('reject')
      .description('answer no: the step fails')
      .argument('<approval>')
      .option('--comment <text>', 'kept with the answer')
      .action(act((context, id: string, options: AnswerOptions) => decide(context, reject, id, options)))
    command
      .command('answer')
      .description('answer a question of a run or of an agent: by a choice, in words, or both')
      .argument('<question>')
      .option('--choice <id>', 'one of its choices')
      .option('--text <words>', 'in free words, where it takes them')
      .option('--comment <text>', 'kept with the answer; questions of runs alone')
      .action(act(answer))
  },
}

interface AnswerOptions {
  readonly comment?: string
}

interface ListOptions {
  readonly state: ApprovalView['state']
  readonly run?: string
}

async function list(context: CliContext, { state, run }: ListOptions): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listApprovals, { query: { state, ...(run === undefined ? {} : { run }) } })
    for (const item of items) out.document(item)
    const asked = await listOfAgents(client, state, run)
    for (const item of asked) out.document(item)
    if (items.length + asked.length === 0) out.lines(`no approval is ${state}`)
    for (const item of items) out.lines(...approvalLines(item, out.colors))
    for (const item of asked) out.lines(...questionLines(item, out.colors))
  })
}

async function show(context: CliContext, id: string): Promise<void> {
  const { out } = context
  if (isOfAgent(id)) return showOfAgent(context, id)
  await withConnection(context, { work: false }, async ({ client }) => {
    const item = await client.call(showApproval, { params: { id } })
    out.document(item)
    out.lines(...approvalDetails(item, out.colors))
  })
}

async function decide(
  context: CliContext,
  endpoint: typeof approve,
  id: string,
  options: AnswerOptions,
): Promise<void> {
  if (isOfAgent(id)) {
    const wanted = endpoint === approve ? 'allow-once' : 'reject-once'
    return answerOfAgent(context, id, {
      meaning: wanted,
      ...(options.comment === undefined ? {} : { text: options.comment }),
    })
  }
  await give(context, ({ client }) => client.call(endpoint, { params: { id }, body: options }))
}

async function answer(context: CliContext, id: string, options: QuestionAnswer & AnswerOptions): Promise<void> {
  if (options.choice === undefined && options.text === undefined)
    throw cliErrors['answer-missing'](`what is the answer to ${id}?`)
  if (isOfAgent(id)) return answerOfAgent(context, id, options)
  await give(context, ({ client }) => client.call(answerApproval, { params: { id }, body: options }))
}

async function give(
  context: CliContext,
  call: (connection: Pick<Connection, 'client'>) => Promise<ApprovalView>,
): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async (connection) => {
    const item = await call(connection)
    out.document(item)
    const more = item.state === 'pending' ? ` (${item.answers.length} of ${item.count} have approved)` : ''
    out.lines(`${out.colors.green('✔')} ${item.id} is ${item.state}${more}`)
    if (connection.embedded && item.state !== 'pending')
      out.note(
        `${out.colors.cyan('next')}  leanvibe orchestrate --resume ${item.runId}   no server runs that would go on with it`,
      )
  })
}

function isOfAgent(id: string): boolean {
  return id.startsWith('qst_')
}
