import { Option } from 'commander'
import { mergeStateNames } from '../../orchestration/merges/merge-states-contract.ts'
import { explainMerges, listMerges, type MergeView, showMerge } from '../../orchestration/merges/merges-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, printable } from '../text.ts'

export const merges: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list merges, the newest first, with what each of them waits for')
      .addOption(new Option('--state <state>', 'only those in this state').choices(['open', ...mergeStateNames]))
      .option('--run <run>', 'only those of this run and of the runs that it called')
      .option('--branch <branch>', 'only those into this branch')
      .action(act(list))
    command
      .command('show')
      .description('show one merge: where it is, and the files in conflict')
      .argument('<merge>', 'the id of its task')
      .action(act(show))
    command
      .command('explain')
      .description(
        'tell of a merge, or of all merges of a run and the runs it called: their order, what each waited for, what was put on what, which checks ran, and what came of it',
      )
      .argument('<run-or-merge>', 'the id of a run, or of the task of a merge')
      .action(act(explain))
  },
}

interface ListOptions {
  readonly state?: 'open' | MergeView['state']
  readonly run?: string
  readonly branch?: string
}

async function list(context: CliContext, options: ListOptions): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listMerges, { query: options })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no merges')
    for (const item of items) out.lines(...mergeLines(item, out.colors.bold))
  })
}

async function show(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const item = await client.call(showMerge, { params: { id } })
    out.document(item)
    out.lines(...mergeLines(item, out.colors.bold), ...item.files.map((file) => `  conflict in ${printable(file)}`))
  })
}

async function explain(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items, more } = await client.call(explainMerges, { params: { id } })
    for (const item of items) {
      out.document(item)
      out.lines(
        `${out.colors.bold(item.merge.id)}  ${item.merge.state}`,
        ...item.story.map((sentence) => `  ${printable(sentence)}`),
        ...item.merge.files.map((file) => `  conflict in ${printable(file)}`),
      )
    }
    if (more) out.lines('There are more; `leanvibe merges list` shows them, and this command each of them.')
  })
}

function mergeLines(item: MergeView, bold: (text: string) => string): string[] {
  return [
    `${bold(item.id)}  ${item.state}  ${oneLine(item.branch, 60)} of ${printable(item.repo)}`,
    `  ${oneLine(item.step)} of ${item.runId}: ${printable(item.explanation)}`,
  ]
}
