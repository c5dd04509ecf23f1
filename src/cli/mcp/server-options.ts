import { type Command, Option } from 'commander'
import { toolPermissions } from '../../foundation/platform/config/agent-kinds.ts'
import { usageError } from '../failure.ts'

/** How a server is reached and what may be called of it, as command lines say it. */
export interface ServerOptions {
  readonly url?: string
  readonly secret?: string
  readonly default?: (typeof toolPermissions)[number]
  readonly allow?: readonly string[]
  readonly ask?: readonly string[]
  readonly off?: readonly string[]
}

export function addServerOptions(command: Command): Command {
  return command
    .option('--url <url>', 'of a server that is elsewhere')
    .option('--secret <name>', 'of `secrets:`, sent as a bearer token to the url')
    .addOption(new Option('--default <rule>', 'for its tools that are not named').choices(toolPermissions))
    .option('--allow <tools...>', 'tools that may be called')
    .option('--ask <tools...>', 'tools for which people are asked each time')
    .option('--off <tools...>', 'tools that may not be called')
}

/** The setting as leanvibe.yaml has it. */
export function serverSetting(argv: readonly string[], options: ServerOptions): Record<string, unknown> {
  if (argv.length > 0 === (options.url !== undefined)) {
    throw usageError('expected either --url, or a program and its arguments after --')
  }
  const rules = (['allow', 'ask', 'off'] as const).flatMap((rule) => (options[rule] ?? []).map((tool) => [tool, rule]))
  return {
    ...(options.url === undefined ? { command: argv } : { url: options.url }),
    ...(options.secret === undefined ? {} : { secret: options.secret }),
    ...(options.default === undefined ? {} : { default: options.default }),
    ...(rules.length === 0 ? {} : { tools: Object.fromEntries(rules) }),
  }
}
