import { Option } from 'commander'
import {
  checkRegistered,
  publishAgent,
  type RegistryEntryView,
  registryHealthSchema,
  registryKindSchema,
  removeRegistered,
  searchRegistry,
  showRegistered,
} from '../../external-api/registry/registry-contract.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { nameOfTarget } from '../registry/name-of-target.ts'
import { oneLine, printable, table } from '../text.ts'
import { usdText } from '../usd-text.ts'

export const registry: CliCommand = {
  configure(command, act) {
    command
      .command('search', { isDefault: true })
      .description('search the published agents')
      .argument('[words]', 'of the name, the title or the description')
      .option('--capability <names...>', 'it must have all of them')
      .option('--owner <name>', 'only those of this owner')
      .addOption(new Option('--kind <kind>', 'only this kind').choices(registryKindSchema.options))
      .addOption(new Option('--health <state>', 'only those in this state').choices(registryHealthSchema.options))
      .option('--max-cost <usd>', 'what a task may cost at most, in US dollars', Number)
      .action(act(search))
    command
      .command('publish')
      .description('publish an agent, or change what is published of it')
      .argument('<target>', 'the URL of its A2A card; with --kind also a pool, a workflow or another URL')
      .addOption(new Option('--kind <kind>', 'what it is').choices(registryKindSchema.options).default('a2a'))
      .option('--name <name>', 'under which it is found; default: made from the target')
      .option('--title <text>')
      .option('--description <text>')
      .option('--capability <names...>', 'what it can do; default: as its card or pool says')
      .option('--owner <name>', 'who answers for it; default: you')
      .option('--task-cost <usd>', 'what a task costs as a rule, in US dollars', Number)
      .option('--token-cost <usd>', 'what a million tokens cost, in US dollars', Number)
      .option('--check <time>', 'look this often whether it is there, such as 5m; at least 30s')
      .action(act(publish))
    command
      .command('show')
      .description('show a published agent')
      .argument('<name>')
      .option('--check', 'look now whether it is there')
      .action(act(show))
    command.command('remove').description('take an agent out of the registry').argument('<name>').action(act(remove))
  },
}

interface SearchOptions {
  readonly capability?: readonly string[]
  readonly owner?: string
  readonly kind?: RegistryEntryView['kind']
  readonly health?: RegistryEntryView['health']
  readonly maxCost?: number
}

async function search(context: CliContext, text: string | undefined, options: SearchOptions): Promise<void> {
  const { out } = context
  const { capability, owner, kind, health, maxCost } = options
  await withConnection(context, { work: false }, async ({ client }) => {
    const query = {
      ...(text === undefined ? {} : { text }),
      ...(capability === undefined ? {} : { capability: capability.join(',') }),
      ...(owner === undefined ? {} : { owner }),
      ...(kind === undefined ? {} : { kind }),
      ...(health === undefined ? {} : { health }),
      ...(maxCost === undefined ? {} : { maxTaskMicroUsd: microUsd(maxCost) }),
    }
    const { items } = await client.call(searchRegistry, { query: { ...query, limit: 200 } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no such agent is published')
    else out.lines(...table(items.map(cells)))
  })
}

interface PublishOptions {
  readonly kind: RegistryEntryView['kind']
  readonly name?: string
  readonly title?: string
  readonly description?: string
  readonly capability?: readonly string[]
  readonly owner?: string
  readonly taskCost?: number
  readonly tokenCost?: number
  readonly check?: string
}

async function publish(context: CliContext, target: string, options: PublishOptions): Promise<void> {
  const { out } = context
  const { kind, title, description, capability, owner, taskCost, tokenCost, check } = options
  const name = options.name ?? nameOfTarget(target)
  await withConnection(context, { work: false }, async ({ client }) => {
    const entry = await client.call(publishAgent, {
      params: { name },
      body: {
        ...{ kind, target },
        ...(title === undefined ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(capability === undefined ? {} : { capabilities: [...capability] }),
        ...(owner === undefined ? {} : { owner }),
        ...(taskCost === undefined ? {} : { taskMicroUsd: microUsd(taskCost) }),
        ...(tokenCost === undefined ? {} : { tokenMicroUsd: microUsd(tokenCost) }),
        ...(check === undefined ? {} : { checkSeconds: Math.round(parseDuration(check) / 1_000) }),
      },
    })
    out.document(entry)
    out.lines(`${out.colors.green('✔')} published: ${cells(entry).join('  ')}`)
  })
}

async function show(context: CliContext, name: string, { check }: { readonly check?: boolean }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    if (check === true) await client.call(checkRegistered, { params: { name } })
    const entry = await client.call(showRegistered, { params: { name } })
    out.document(entry)
    const lines = [
      ['what', `${entry.kind} ${printable(entry.target)}`],
      ['title', printable(entry.title)],
      ['description', oneLine(entry.description, 200)],
      ['version', printable(entry.version)],
      ['can', entry.capabilities.join(' ')],
      ['owner', printable(entry.owner)],
      ['a task', entry.taskMicroUsd === null ? '' : usdText(entry.taskMicroUsd)],
      ['1M tokens', entry.tokenMicroUsd === null ? '' : usdText(entry.tokenMicroUsd)],
      [
        'health',
        [entry.health, entry.healthError ?? '', entry.checkedAt ?? ''].filter((text) => text !== '').join(', '),
      ],
      ['speak to it', usageOf(entry)],
      ['checked', entry.checkSeconds === null ? 'when it is asked for' : `every ${entry.checkSeconds} s`],
    ].filter(([, text]) => text !== '')
    out.lines(out.colors.bold(entry.name), ...table(lines.map(([label = '', text = '']) => [`  ${label}`, text])))
  })
}

async function remove(context: CliContext, name: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    await client.call(removeRegistered, { params: { name } })
    out.document({ type: 'registry-removed', name })
    out.lines(`${out.colors.green('✔')} ${name} is no longer published`)
  })
}

/** How an agent is put to work that was found here. */
function usageOf({ kind, name }: RegistryEntryView): string {
  if (kind === 'a2a') return `leanvibe agents add a2a ${name}`
  return kind === 'other' ? '' : `A2A at /a2a/${name}; its card is at /api/v1/registry/${name}/agent-card`
}

function cells(entry: RegistryEntryView): string[] {
  return [
    entry.name,
    entry.kind,
    entry.health,
    oneLine(entry.owner, 30),
    entry.taskMicroUsd === null ? '' : usdText(entry.taskMicroUsd),
    oneLine(entry.capabilities.join(' '), 60),
  ]
}

function microUsd(usd: number): number {
  return Math.round(usd * 1_000_000)
}
