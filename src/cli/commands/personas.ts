import { existsSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { builtInPersonas } from '../../app/built-ins.ts'
import { openPersonas } from '../../app/personas.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { oneLine, printable, table } from '../text.ts'

/** Personas are files: nothing of this needs a platform. */
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
  const { config } = await load(context)
  const found = openPersonas(config).list()
  for (const one of found) {
    if ('problem' in one) out.document(one)
    else {
      const { instructions: _, ...persona } = one
      out.document(persona)
    }
  }
  const rows = found.map((one) =>
    'problem' in one
      ? [one.name, out.colors.red('wrong'), '', '', oneLine(one.problem, 160)]
      : [one.name, one.origin, one.tier, one.capabilities.join(', '), oneLine(one.description, 100)],
  )
  out.lines(...table(rows))
  return found.some((one) => 'problem' in one) ? 65 : 0
}

async function show(context: CliContext, name: string): Promise<void> {
  const { out } = context
  const { config } = await load(context)
  const persona = openPersonas(config).find(name)
  out.document(persona)
  const { origin, file, tier, capabilities, requires, tools, description, instructions } = persona
  const facts: [string, string][] = [
    ['file', file],
    ['tier', tier],
    ['capabilities', capabilities.join(', ') || 'none'],
    ...(requires.length === 0 ? [] : ([['requires', requires.join(', ')]] as [string, string][])),
    ['tools', tools?.join(', ') ?? 'all that its pool allows'],
  ]
  out.lines(`${out.colors.bold(name)} (${origin})  ${printable(description)}`)
  out.lines(...table(facts.map(([key, value]) => [`  ${out.colors.dim(key)}`, printable(value)])))
  out.lines('', printable(instructions))
}

async function init(context: CliContext, names: readonly string[], { force }: { force?: boolean }): Promise<void> {
  const { out, cwd } = context
  const { config } = await load(context)
  const builtIn = openPersonas({ personaFolder: builtInPersonas })
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
