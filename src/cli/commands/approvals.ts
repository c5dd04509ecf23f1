import { Option } from 'commander'
import {
  type ApprovalView,
  approvalStateSchema,
  approve,
  listApprovals,
  reject,
} from '../../orchestration/approvals/approvals-contract.ts'
import { answerOfAgent, listOfAgents, type QuestionAnswer, questionLines } from '../agent-questions.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, printable } from '../text.ts'

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
      .action(act(list))
    command
      .command('approve')
      .description('answer yes: the step succeeds')
      .argument('<approval>')
      .option('--comment <text>', 'kept with the answer')
      .action(act((context, id: string, options: AnswerOptions) => answer(context, approve, id, options)))
    command
      .command('reject')
      .description('answer no: the step fails')
      .argument('<approval>')
      .option('--comment <text>', 'kept with the answer')
      .action(act((context, id: string, options: AnswerOptions) => answer(context, reject, id, options)))
    command
      .command('answer')
      .description('answer what an agent asks: by a choice, in words, or both')
      .argument('<question>')
      .option('--choice <id>', 'one of its choices')
      .option('--text <words>', 'in free words, where it takes them')
      .action(act((context, id: string, options: QuestionAnswer) => answerOfAgent(context, id, options)))
  },
}

interface AnswerOptions {
  readonly comment?: string
}

async function list(context: CliContext, { state }: { state: ApprovalView['state'] }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listApprovals, { query: { state } })
    for (const item of items) out.document(item)
    const asked = await listOfAgents(client, state)
    for (const item of asked) out.document(item)
    if (items.length + asked.length === 0) out.lines(`no approval is ${state}`)
    for (const item of items) {
      const deadline = item.deadlineAt === null ? '' : `, until ${item.deadlineAt} (then ${item.default ?? 'reject'})`
      out.lines(
        `${out.colors.bold(item.id)}  ${item.state}${deadline}`,
        `  ${oneLine(item.step)} of ${item.runId}`,
        `  ${printable(item.message)}`,
      )
      if (item.comment !== null)
        out.lines(`  ${out.colors.dim(`${item.answeredBy ?? ''}: ${printable(item.comment)}`)}`)
    }
    for (const item of asked) out.lines(...questionLines(item, out.colors))
  })
}

async function answer(
  context: CliContext,
  endpoint: typeof approve,
  id: string,
  options: AnswerOptions,
): Promise<void> {
  const { out } = context
  if (id.startsWith('qst_')) {
    const wanted = endpoint === approve ? 'allow-once' : 'reject-once'
    return answerOfAgent(context, id, {
      meaning: wanted,
      ...(options.comment === undefined ? {} : { text: options.comment }),
    })
  }
  await withConnection(context, { work: false }, async ({ client, embedded }) => {
    const item = await client.call(endpoint, { params: { id }, body: options })
    out.document(item)
    out.lines(`${out.colors.green('✔')} ${item.id} is ${item.state}`)
    if (embedded)
      out.note(
        `${out.colors.cyan('next')}  leanvibe orchestrate --resume ${item.runId}   no server runs that would go on with it`,
      )
  })
}
