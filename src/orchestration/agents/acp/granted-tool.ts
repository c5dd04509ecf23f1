import type { ToolCallUpdate } from '@agentclientprotocol/sdk'

/**
 * Whether a request for permission is about a tool of a server that its pool grants, by the names that agents give them:
 * `mcp__server__tool`, `mcp_server_tool`, `server__tool`, `tool (server MCP Server)`. The call itself is decided where it
 * passes through us; to ask people twice would be of no use.
 */
export function isGrantedTool({ kind, name, title }: ToolCallUpdate, servers: readonly string[]): boolean {
  if (kind !== undefined && kind !== null && kind !== 'other') return false
  return servers.some((server) =>
    [name, title].some((text) => {
      if (typeof text !== 'string') return false
      const starts = [`mcp__${server}__`, `mcp_${server}_`, `${server}__`]
      return starts.some((start) => text.startsWith(start)) || text.endsWith(` (${server} MCP Server)`)
    }),
  )
}
