import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import { McpSession, type McpSessionOptions } from './mcp-session.ts'

/** MCP servers as agents: a task is one call of one tool. A program is started for each attempt, an address is called. */
export function createMcpDriver(options: McpSessionOptions): AgentDriver {
  return {
    kind: 'mcp',
    // The time and processor of a program are bounded by this host; what is elsewhere tells nothing.
    enforcement: options.settings.server.argv === null ? 'reported' : 'capped',
    start: (assignment, context) => openSession(new McpSession(options, assignment, context)),
  }
}
