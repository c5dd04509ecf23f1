import type { FleetApi } from '../../app/serve-fleet.ts'
import type { Client } from '../../client/client.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { connect } from '../connect.ts'
import { grant } from '../mcp/grant.ts'
import { addServerOptions } from '../mcp/server-options.ts'
import { tools } from '../mcp/tools.ts'

interface ServeOptions {
  readonly tenant?: string
}

export const mcp: CliCommand = {
  configure(command, act) {
    command
      .command('serve')
      .description('offer the fleet to an MCP client on standard input and output')
      .option('--tenant <id>', 'the tenant to act for; only for keys above tenants')
      .addHelpText(
        'after',
        '\nMCP clients start this themselves: give them `leanvibe mcp serve` as the command of a server.' +
          '\nA server that runs offers the same under /mcp, with its keys: see docs/guides/mcp.md.',
      )
      .action(act(serve))
    addServerOptions(
      command
        .command('grant')
        .description('grant the agents of a pool the tools of an MCP server')
        .argument('<pool>')
        .argument('<name>', 'what the server is called')
        .argument('[program...]', 'after --: program and arguments of the server'),
    )
      .option('--env <names...>', 'variables that its program gets; the agent does not')
      .option('--force', 'write over tools of that name')
      .addHelpText('after', '\nTools that are not named are asked for, unless --default says otherwise.')
      .action(act(grant))
    command
      .command('tools')
      .description('start the MCP servers of a pool, and show what may be called of them')
      .argument('<pool>')
      .action(act(tools))
  },
}

async function serve(context: CliContext, { tenant }: ServeOptions): Promise<void> {
  const { client, close } = await connect(context, { tenant })
  try {
    const { serveFleet } = await import('../../app/serve-fleet.ts')
    await serveFleet({
      api: apiOf(client),
      stdin: context.stdin,
      stdout: context.out.stdout,
      signal: context.interrupts.signal,
      // Standard output is the client's: what fails of ours goes beside it.
      onError: (error) => context.out.note(String(error)),
    })
  } finally {
    await close()
  }
}

/** What the caller may do is decided where it is called. */
function apiOf(client: Client): FleetApi {
  return {
    call: (endpoint, args = {}) => client.call(endpoint, args as never),
    lines: (endpoint, args) => client.lines(endpoint, args as never),
    bytes: async (endpoint, args) => {
      const { mediaType, body } = await client.bytes(endpoint, args as never)
      return { mediaType, body }
    },
    may: () => true,
  }
}
