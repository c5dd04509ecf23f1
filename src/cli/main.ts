import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import type { Env } from '../foundation/platform/config/env.ts'
import type { Act, CliContext } from './command.ts'
import { exitCodeFor, tellFailure, usageError } from './failure.ts'
import { listenForInterrupts, type SignalSource } from './interrupts.ts'
import { createOutput, type Output, type OutputStream } from './output.ts'
import { refuseRemote } from './remote-server.ts'

export interface CliSurroundings {
  readonly stdin: Readable
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly signals: SignalSource
  readonly env: Env
  readonly cwd: string
}

/** Runs one command line and returns its exit code. */
export async function main(argv: readonly string[], surroundings: CliSurroundings): Promise<number> {
  const { stdout, stderr, signals, env, cwd } = surroundings
  const json = argv.includes('--json')
  const color = !env.noColor && (env.forceColor || (stdout.isTTY === true && stderr.isTTY === true))
  const out = createOutput({ stdout, stderr, json, color })
  if (asksVersion(argv)) return printVersion(out)

  const interrupts = listenForInterrupts(signals)
  try {
    const work = runCommand(argv, (globals) => ({
      ...{ globals, env, cwd, out, interrupts },
      get stdin() {
        return surroundings.stdin
      },
    }))
    return await Promise.race([work, interrupts.forced])
  } catch (error) {
    tellFailure(out, error, argv.includes('--debug'))
    return exitCodeFor(error, interrupts.exitCode)
  } finally {
    interrupts.close()
    await out.flush()
  }
}

async function runCommand(
  argv: readonly string[],
  contextOf: (globals: CliContext['globals']) => CliContext,
): Promise<number> {
  const { buildProgram, CommanderError, globalsOf, selectCommand } = await import('./program.ts')
  let exitCode = 0
  const act: Act =
    (action) =>
    async (...args) => {
      const command = args.at(-1) as import('commander').Command
      const globals = globalsOf(argv, command)
      refuseRemote(selectCommand(argv)?.name ?? '', globals)
      exitCode = (await action(contextOf(globals), ...args)) ?? 0
    }
  const { stdout } = contextOf({ json: false, debug: false }).out
  const completing = argv[0] === 'complete' || argv[0] === 'completion'
  const program = await buildProgram({
    selected: completing ? 'all' : selectCommand(argv),
    act,
    write: (text) => void stdout.write(text),
    columns: stdout.columns ?? 100,
  })
  if (completing) (await import('@bomb.sh/tab/commander')).default(program, { completionCommandName: 'completion' })
  try {
    if (argv.length === 0) program.outputHelp()
    else await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    throw usageError(explainUsage(error.code, error.message, selectCommand(argv)?.name, program))
  }
}

/** What commander found wrong, where its own words would mislead. */
function explainUsage(code: string, message: string, name: string | undefined, program: Command): string {
  const known = program.commands.find((command) => command.name() === name)?.commands.map((each) => each.name()) ?? []
  // Called without its sub-command, a command shows what it has.
  if (code === 'commander.help') return 'the command needs a sub-command'
  // A word that is no sub-command goes to the default one, which takes none.
  if (code === 'commander.excessArguments' && known.length > 0) {
    return `${message.replace(/^error: /, '')} (${name} has ${known.join(', ')})`
  }
  return message.replace(/^error: /, '')
}

function asksVersion(argv: readonly string[]): boolean {
  const rest = argv.filter((word) => word !== '--json')
  return rest.length === 1 && (rest[0] === '--version' || rest[0] === '-V' || rest[0] === '-v')
}

async function printVersion(out: Output): Promise<number> {
  const { packageVersion } = await import('../app/package-info.ts')
  out.lines(packageVersion())
  out.document({ version: packageVersion(), node: process.versions.node })
  await out.flush()
  return 0
}
