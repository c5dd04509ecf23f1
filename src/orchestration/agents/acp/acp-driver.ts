import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import type { AcpSessionOptions } from './acp-session.ts'

/** Drives programs that speak the Agent Client Protocol over standard input and output; one process for each attempt. */
export function createAcpDriver(options: AcpSessionOptions): AgentDriver {
  return {
    kind: 'acp',
    enforcement: 'reported',
    async start(assignment, context) {
      // The SDK takes a tenth of a second to load: only for those who have such agents.
      const { AcpSession } = await import('./acp-session.ts')
      return openSession(new AcpSession(options, assignment, context))
    },
  }
}
