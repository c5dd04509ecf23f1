import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import type { McpSessionOptions } from './mcp-session.ts'

/** MCP servers as agents: a task is one call of one tool. A program is started for each attempt, an address is called. */
export function createMcpDriver(options: McpSessionOptions): AgentDriver {
  return {
    kind: 'mcp',
    // The time and processor of a program are bounded by this host; what is elsewhere tells nothing.
    enforcement: options.settings.server.argv === null ? 'reported' : 'capped',
    async start(assignment, context) {
      // The SDK takes a fifth of a second to load: only for those who have such agents.
      const { McpSession } = await import('./mcp-session.ts')
      return openSession(new McpSession(options, assignment, context))
    },
  }
}
