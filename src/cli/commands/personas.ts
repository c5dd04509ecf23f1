import { existsSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { detailOfPersona, packagePersonas, summariesOfPersonas } from '../../app/personas.ts'
import { listPersonas, showPersona } from '../../orchestration/personas/personas-endpoints-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { isServed, load, withConnection } from '../connect.ts'
import { refuseRemote } from '../remote-server.ts'
import { oneLine, printable, table } from '../text.ts'

/** Personas are files: a server is asked where there is one, and otherwise nothing of this needs a platform. */
export const personas: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list who agents can be, and what each is given')
      .action(act(list))
    command
      .command('show')
      .description('show the settings and the instructions of a persona')
      .argument('<persona>')
      .action(act(show))
    command
      .command('init')
      .description('copy personas into the project, where they may be edited: they then go before those of the package')
      .argument('[persona...]', 'default: all of the package')
      .option('--force', 'write over files that are there')
      .action(act(init))
  },
}

async function list(context: CliContext): Promise<number> {
  const { out } = context
  const found = (await isServed(context))
    ? await withConnection(context, { work: false }, async ({ client }) => (await client.call(listPersonas, {})).items)
    : summariesOfPersonas((await load(context)).config)
  for (const one of found) out.document(one)
  const rows = found.map(({ name, origin, tier, capabilities, description, problem }) =>
    problem === null
      ? [name, origin ?? '', tier ?? '', capabilities.join(', '), oneLine(description ?? '', 100)]
      : [name, out.colors.red('wrong'), '', '', oneLine(problem, 160)],
  )
  out.lines(...table(rows))
  return found.some(({ problem }) => problem !== null) ? 65 : 0
}

async function show(context: CliContext, name: string): Promise<void> {
  const { out } = context
  const persona = (await isServed(context))
    ? await withConnection(context, { work: false }, ({ client }) => client.call(showPersona, { params: { name } }))
    : detailOfPersona((await load(context)).config, name)
  out.document(persona)
  const { origin, file, tier, capabilities, requires, tools, description, instructions } = persona
  const facts: [string, string][] = [
    ['file', file],
    ['tier', tier ?? ''],
    ['capabilities', capabilities.join(', ') || 'none'],
    ...(requires.length === 0 ? [] : ([['requires', requires.join(', ')]] as [string, string][])),
    ['tools', tools?.join(', ') ?? 'all that its pool allows'],
  ]
  out.lines(`${out.colors.bold(name)} (${origin})  ${printable(description ?? '')}`)
  out.lines(...table(facts.map(([key, value]) => [`  ${out.colors.dim(key)}`, printable(value)])))
  out.lines('', printable(instructions))
}

async function init(context: CliContext, names: readonly string[], { force }: { force?: boolean }): Promise<void> {
  const { out, cwd } = context
  refuseRemote('personas init', context.globals)
  const { config } = await load(context)
  const builtIn = packagePersonas()
  const wanted = names.length > 0 ? names : builtIn.list().map(({ name }) => name)
  // All are looked up before the first is written.
  const files = wanted.map((name) => builtIn.find(name))
  const target = (name: string) => join(config.personaFolder, `${name}.md`)
  const there = force ? [] : wanted.filter((name) => existsSync(target(name)))
  if (there.length > 0)
    throw cliErrors['file-exists'](`${there.map((name) => relative(cwd, target(name))).join(', ')} exists already`)
  await mkdir(config.personaFolder, { recursive: true })
  for (const { name, file } of files) {
    await copyFile(file, target(name))
    out.document({ type: 'written', file: target(name) })
    out.lines(relative(cwd, target(name)))
  }
}
