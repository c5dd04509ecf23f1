import type { CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { usageError } from '../failure.ts'
import { writeSetting } from '../write-setting.ts'
import { type ServerOptions, serverSetting } from './server-options.ts'

export interface GrantOptions extends ServerOptions {
  readonly env?: readonly string[]
  readonly force?: boolean
}

/** Grants the agents of a pool the tools of an MCP server. */
export async function grant(
  context: CliContext,
  pool: string,
  name: string,
  argv: readonly string[],
  options: GrantOptions,
): Promise<void> {
  const { config } = await load(context)
  const known = config.pools.find((each) => each.name === pool)
  if (known === undefined) throw usageError(`leanvibe.yaml has no pool ${pool}`)
  const setting = { ...serverSetting(argv, options), ...(options.env === undefined ? {} : { env: options.env }) }
  const place = {
    path: ['pools', pool, 'tools', name],
    called: `tools ${name} of ${pool}`,
    force: options.force === true,
  }
  const file = await writeSetting(context, place, setting)
  const { out } = context
  out.document({ type: 'tools-granted', pool, name, file, ...setting })
  out.lines(
    `${out.colors.green('✔')} ${pool} in ${file} has the tools of ${name}: ${options.url ?? argv.join(' ')}`,
    `${out.colors.cyan('next')}  leanvibe mcp tools ${pool}   shows what is allowed, asked for and off`,
  )
}
