import type { CliContext } from '../command.ts'
import { writeSetting } from '../write-setting.ts'
import { type ServerOptions, serverSetting } from './server-options.ts'

export interface AddMcpOptions extends Pick<ServerOptions, 'url'> {
  readonly name?: string
  readonly agents?: number
  readonly env?: readonly string[]
  readonly capability?: readonly string[]
  readonly network?: 'open' | 'models' | 'off'
  readonly confine?: 'off' | 'auto' | 'required'
  readonly force?: boolean
}

/** Adds a pool whose agents are tools of an MCP server. */
export async function addMcp(context: CliContext, argv: readonly string[], options: AddMcpOptions): Promise<void> {
  const server = serverSetting(argv, { ...(options.url === undefined ? {} : { url: options.url }) })
  const name = options.name ?? nameOf(argv, options.url)
  const confine = {
    ...(options.confine === undefined ? {} : { mode: options.confine }),
    ...(options.network === undefined ? {} : { network: options.network }),
  }
  const pool = {
    kind: 'mcp',
    ...(argv.length > 0 ? server : { mcp: server }),
    capabilities: options.capability ?? [name],
    agents: options.agents ?? 1,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(Object.keys(confine).length === 0 ? {} : { confine }),
  }
  const place = { path: ['pools', name], called: `a pool ${name}`, force: options.force === true }
  const file = await writeSetting(context, place, pool)
  const { out } = context
  out.document({ type: 'agent-added', pool: name, file, ...pool })
  out.lines(
    `${out.colors.green('✔')} pool ${name} in ${file}: ${options.url ?? argv.join(' ')}`,
    `${out.colors.cyan('next')}  a step names the tool: agent: { prompt: "...", config: { tool: NAME } }, pool: ${name}`,
  )
}

/** What a person would call it: the program, or the host. */
function nameOf(argv: readonly string[], url: string | undefined): string {
  const long = url === undefined ? argv[0]!.split('/').at(-1)! : URL.canParse(url) ? new URL(url).hostname : 'mcp'
  const name = long
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z]+/, '')
  return name === '' ? 'mcp' : name.slice(0, 60)
}
