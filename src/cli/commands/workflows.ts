import {
  listWorkflows,
  showWorkflow,
  type WorkflowDetail,
} from '../../orchestration/workflows/workflow-endpoints-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { type Connection, load, withConnection } from '../connect.ts'
import { oneLine, plural, printable, table } from '../text.ts'
import { validateWord } from '../validate-word.ts'
import { findWanted, listModules } from '../workflow-source.ts'

export const workflows: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list workflows that can be started by name')
      .action(act(list))
    command
      .command('show')
      .description('show the inputs and steps of a workflow')
      .argument('<workflow>', 'a name or a file')
      .option('--source', 'print its definition')
      .action(act(show))
    command
      .command('validate')
      .description('check definitions; findings come with file, line and column')
      .argument('<workflow...>', 'names or files')
      .action(act(validate))
  },
}

async function list(context: CliContext): Promise<void> {
  const { out, cwd, interrupts } = context
  await withConnection(context, { work: false }, async ({ client, loaded }) => {
    const known = (await client.call(listWorkflows)).items
    const modules = await listModules({ cwd, config: loaded.config, signal: interrupts.signal })
    const own = modules.filter(({ name }) => !known.some((item) => item.name === name && item.origin === 'project'))
    const others = known.filter(({ name }) => !own.some((item) => item.name === name))
    const items = [...others, ...own].sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const item of items) out.document(item)
    out.lines(
      ...table(
        items.map((item) => [item.name, item.origin, plural(item.steps, 'step'), oneLine(item.description ?? '', 80)]),
      ),
    )
  })
}

async function show(context: CliContext, name: string, { source }: { source?: boolean }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async (connection) => {
    const detail = await detailOf(context, connection, name)
    out.document(detail)
    if (source) out.lines(printable(detail.source.trimEnd()))
    else out.lines(...shown(detail))
  })
}

async function detailOf(context: CliContext, connection: Connection, name: string): Promise<WorkflowDetail> {
  const { cwd, interrupts } = context
  const { client, loaded } = connection
  const wanted = await findWanted(name, { cwd, config: loaded.config, signal: interrupts.signal })
  // The platform knows more of what it knows by name: which version it has stored.
  if ('name' in wanted || wanted.origin === 'definition') return client.call(showWorkflow, { params: { name } })
  const { describeSource } = await import('../../app/definitions.ts')
  return describeSource(name, wanted.source)
}

function shown(detail: WorkflowDetail): string[] {
  const inputs = detail.inputs.map(({ name, type, required, default: fallback, description }) => [
    `  ${name}`,
    type,
    required ? 'required' : `default ${JSON.stringify(fallback ?? null)}`,
    oneLine(description ?? '', 80),
  ])
  const steps = detail.graph.map((step) => [
    `  ${oneLine(step.id, 60)}`,
    step.finally ? `${step.kind} (finally)` : step.kind,
    step.needs.length === 0 ? '' : `after ${oneLine(step.needs.join(', '), 120)}`,
  ])
  return [
    `${oneLine(detail.name)} (${detail.origin}${detail.version === null ? '' : `, version ${detail.version}`})`,
    ...(detail.description === null ? [] : [printable(detail.description)]),
    ...(inputs.length === 0 ? [] : ['', 'inputs', ...table(inputs)]),
    '',
    'steps',
    ...table(steps),
  ]
}

async function validate(context: CliContext, words: readonly string[]): Promise<number> {
  const { config } = await load(context)
  let exitCode = 0
  for (const word of words) exitCode = Math.max(exitCode, await validateWord(context, word, config))
  return exitCode
}
