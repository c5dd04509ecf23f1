import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { toolServersOf } from '../../app/tool-servers.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import { findProgram } from '../../foundation/platform/processes/index.ts'
import type { Check } from './check.ts'

/** Whether the programs of the MCP servers that pools name are there. None: nothing is said. */
export async function checkTools({ config, env }: LoadedConfig): Promise<readonly Check[]> {
  const servers = config.pools.flatMap((pool) => toolServersOf(pool).map((server) => ({ pool: pool.name, server })))
  if (servers.length === 0) return []
  const missing: string[] = []
  for (const { pool, server } of servers) {
    const program = server.argv?.[0]
    // What stands in a worktree is there when there is one.
    if (program === undefined || (program.includes('/') && !isAbsolute(program))) continue
    const found = isAbsolute(program) ? existsSync(program) : (await findProgram(program, env.path)) !== null
    if (!found) missing.push(`${labelOf(pool, server.name)}: ${program} is not there`)
  }
  const names = servers.map(({ pool, server }) => labelOf(pool, server.name)).join(', ')
  if (missing.length === 0) return [{ name: 'MCP servers', status: 'ok', detail: names }]
  const next = 'install them; `leanvibe mcp tools POOL` starts the servers of a pool'
  return [{ name: 'MCP servers', status: 'warn', detail: missing.join('; '), next }]
}

/** A pool of the kind `mcp` has the name of its server. */
function labelOf(pool: string, server: string): string {
  return pool === server ? pool : `${pool}.${server}`
}
