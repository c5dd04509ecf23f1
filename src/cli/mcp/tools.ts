import type { CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { usageError } from '../failure.ts'
import { oneLine, table } from '../text.ts'

/** Shows the tools of a pool's MCP servers with their rules, as the servers tell them now. */
export async function tools(context: CliContext, name: string): Promise<number> {
  const { out, interrupts } = context
  const loaded = await load(context)
  const pool = loaded.config.pools.find((each) => each.name === name)
  if (pool === undefined) throw usageError(`leanvibe.yaml has no pool ${name}`)
  const { listPoolTools } = await import('../../app/tool-servers.ts')
  const listings = await listPoolTools(pool, loaded, interrupts.signal)
  for (const listing of listings) out.document(listing)
  if (listings.length === 0) out.lines(`${name} has no tools; leanvibe mcp grant ${name} NAME -- PROGRAM grants some`)
  for (const { server, tools: found, problem } of listings) {
    if (problem !== null) out.lines(`${out.colors.red('✖')} ${server}: ${oneLine(problem, 300)}`)
    else
      out.lines(server, ...table(found.map((tool) => ['', tool.rule, oneLine(tool.name, 80), oneLine(tool.about, 80)])))
  }
  return listings.some(({ problem }) => problem !== null) ? 69 : 0
}
