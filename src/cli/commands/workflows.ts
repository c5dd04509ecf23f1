import {
  listWorkflows,
  showWorkflow,
  type WorkflowDetail,
} from '../../orchestration/workflows/workflow-endpoints-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { load, withConnection } from '../connect.ts'
import { usageError } from '../failure.ts'
import { tellValidation } from '../tell-validation.ts'
import { oneLine, plural, printable, table } from '../text.ts'
import { findSource } from '../workflow-source.ts'

export const workflows: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list workflows that can be started by name')
      .action(act(list))
    command
      .command('show')
      .description('show the inputs and steps of a workflow')
      .argument('<workflow>')
      .option('--source', 'print its definition')
      .action(act(show))
    command
      .command('validate')
      .description('check definitions; findings come with file, line and column')
      .argument('<workflow...>', 'names or YAML files')
      .action(act(validate))
  },
}

async function list(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listWorkflows)
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
  await withConnection(context, { work: false }, async ({ client }) => {
    const detail = await client.call(showWorkflow, { params: { name } })
    out.document(detail)
    if (source) out.lines(printable(detail.source.trimEnd()))
    else out.lines(...shown(detail))
  })
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
  const { validateSource } = await import('../../app/definitions.ts')
  let exitCode = 0
  for (const word of words) {
    const source = await findSource(word, context.cwd, config)
    if (source === null) throw usageError(`no workflow is called ${word}; \`leanvibe workflows list\` shows them`)
    exitCode = Math.max(exitCode, tellValidation(context, source.fileName, validateSource(source)))
  }
  return exitCode
}
