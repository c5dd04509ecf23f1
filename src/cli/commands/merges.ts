import { Option } from 'commander'
import { mergeStateNames } from '../../orchestration/merges/merge-states-contract.ts'
import { listMerges, type MergeView, showMerge } from '../../orchestration/merges/merges-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, printable } from '../text.ts'

export const merges: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list merges, the newest first, with what each of them waits for')
      .addOption(new Option('--state <state>', 'only those in this state').choices(['open', ...mergeStateNames]))
      .option('--run <run>', 'only those of this run')
      .option('--branch <branch>', 'only those into this branch')
      .action(act(list))
    command
      .command('show')
      .description('show one merge: where it is, and the files in conflict')
      .argument('<merge>', 'the id of its task')
      .action(act(show))
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

function mergeLines(item: MergeView, bold: (text: string) => string): string[] {
  return [
    `${bold(item.id)}  ${item.state}  ${oneLine(item.branch, 60)} of ${printable(item.repo)}`,
    `  ${oneLine(item.step)} of ${item.runId}: ${printable(item.explanation)}`,
  ]
}
