import { resolve } from 'node:path'
import { runArtifacts } from '../../orchestration/runs/run-endpoints-contract.ts'
import type { ArtifactView } from '../../orchestration/runs/runs-contract.ts'
import { saveArtifacts } from '../artifacts.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, printable, table } from '../text.ts'

export const artifacts: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description(
        'list the files that the steps of a run, and of the runs that it called, have kept, the evidence of gates among them',
      )
      .argument('<run>')
      .action(act(list))
    command
      .command('get')
      .description(
        'copy them into a folder: all, or those whose name is given or begins so; those of called runs into a folder for each',
      )
      .argument('<run>')
      .argument('[name]', 'for example gate/quality/tests.txt, or gate/')
      .option('--out <folder>', 'where to', '.')
      .action(act(get))
  },
}

async function list(context: CliContext, run: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items, more } = await client.call(runArtifacts, { params: { id: run } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('the run has kept no files')
    const own = items.filter((item) => item.runId === run)
    out.lines(...lines(own))
    for (const [called, kept] of Map.groupBy(
      items.filter((item) => item.runId !== run),
      (item) => item.runId,
    ))
      out.lines('', `of ${called}, which it called`, ...lines(kept))
    if (more) out.lines('', `and more than these ${items.length}`)
  })
}

const lines = (items: readonly ArtifactView[]) =>
  items.length === 0
    ? []
    : table(items.map((item) => [oneLine(item.step, 40), `${item.bytes} bytes`, printable(item.name)]))

async function get(
  context: CliContext,
  run: string,
  name: string | undefined,
  { out: folder }: { readonly out: string },
): Promise<number> {
  const { out, cwd } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(runArtifacts, { params: { id: run } })
    const isFolder = name?.endsWith('/') === true
    const wanted = items.filter(
      (item) => name === undefined || item.name === name || (isFolder && item.name.startsWith(name)),
    )
    if (wanted.length === 0) {
      out.lines(name === undefined ? 'the run has kept no files' : `the run has kept no file ${printable(name)}`)
      return 1
    }
    for (const saved of await saveArtifacts(client, wanted, resolve(cwd, folder), { run })) {
      out.document(saved)
      out.lines(printable(saved.file))
    }
    return 0
  })
}
