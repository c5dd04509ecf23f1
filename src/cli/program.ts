import { Command, CommanderError } from 'commander'
import { packageVersion } from '../app/package-info.ts'
import type { Act, GlobalOptions } from './command.ts'
import { type CommandEntry, commands } from './commands.ts'

export interface ProgramParts {
  /** The command that was called: the only one whose file is loaded. `all` for completion. */
  readonly selected: CommandEntry | 'all' | null
  readonly act: Act
  readonly write: (text: string) => void
  readonly columns: number
}

/** The command line as commander understands it. */
export async function buildProgram({ selected, act, write, columns }: ProgramParts): Promise<Command> {
  const program = new Command('leanvibe')
    .description('The open control plane for fleets of AI agents.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--json', 'one JSON document a line, for programs')
    .option('--data <folder>', 'the data folder (default: .leanvibe in the project)')
    .option('--config <file>', 'the configuration (default: leanvibe.yaml of the project)')
    .option('--debug', 'add the stack to failures')
    .addHelpText('after', firstSteps)
  quiet(program, write, columns)
  // An option of the program takes its value wherever it stands: not where the command means something else by the name.
  const taken = new Set<string | undefined>()
  for (const entry of commands) {
    if (selected === 'all' && entry.name === 'completion') continue
    const command = program.command(entry.name).description(entry.summary)
    // Global options may stand before or after the command.
    if (selected === 'all' || selected === entry) (await entry.load()).configure(command, act)
    for (const each of [command, ...command.commands]) {
      for (const { long } of each.options) taken.add(long)
      addGlobals(each)
    }
    if (selected !== 'all' && selected !== entry) command.allowUnknownOption().allowExcessArguments()
  }
  for (const [name, value] of serverOptions) {
    if (!taken.has(`--${name}`)) program.option(`--${name} <${value}>`, aboutServer[name])
  }
  return program
}

/** The command that `argv` calls, with options and their values skipped. */
export function selectCommand(argv: readonly string[]): CommandEntry | null {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (['--data', '--config', '--url', '--key'].includes(word)) i++
    else if (!word.startsWith('-')) return commands.find(({ name }) => name === word) ?? null
  }
  return null
}

export function globalsOf(argv: readonly string[], command: Command): GlobalOptions {
  const { json, data, config, debug } = command.optsWithGlobals() as Record<string, unknown>
  return {
    json: json === true || argv.includes('--json'),
    debug: debug === true,
    ...(typeof data === 'string' ? { data } : {}),
    ...(typeof config === 'string' ? { config } : {}),
    ...serverOf(command),
  }
}

export { CommanderError }

const aboutServer = {
  url: 'a server elsewhere that the call is for (default: LEANVIBE_URL)',
  key: 'the key for it (default: LEANVIBE_KEY, where no list of processes shows it)',
}

const serverOptions = [
  ['url', 'address'],
  ['key', 'key'],
] as const

/** Some commands have options of these names that mean something else: those are left out. */
function serverOf(command: Command): Pick<GlobalOptions, 'url' | 'key'> {
  const found: { url?: string; key?: string } = {}
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const name of ['url', 'key'] as const) {
      const option = at.options.find(({ long }) => long === `--${name}`)
      const value = at.opts<Record<string, unknown>>()[name]
      if (option?.description === aboutServer[name] && typeof value === 'string') found[name] ??= value
    }
  }
  return found
}

function addGlobals(command: Command): void {
  command
    .option('--json', 'one JSON document a line')
    .option('--data <folder>', 'the data folder')
    .option('--config <file>', 'the configuration')
    .option('--debug', 'add the stack to failures')
  for (const [name, value] of serverOptions) {
    // A group would take the value of an option of that name from the command below it.
    const has = [command, ...command.commands].some(({ options }) => options.some(({ long }) => long === `--${name}`))
    if (!has) command.option(`--${name} <${value}>`, aboutServer[name])
  }
}

function quiet(program: Command, write: (text: string) => void, columns: number): void {
  program
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: write,
      writeErr: () => {},
      getOutHelpWidth: () => columns,
      getErrHelpWidth: () => columns,
    })
}

const firstSteps = `
First steps:
  leanvibe orchestrate repo-checkup --repo .    look over a git repository with several agents
  leanvibe init                                 write leanvibe.yaml and an example workflow
  leanvibe doctor                               see what is there and what is missing`
