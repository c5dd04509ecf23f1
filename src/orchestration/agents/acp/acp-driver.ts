import type { AgentDriver } from '../sessions/agent-session.ts'
import { AcpSession, type AcpSessionOptions } from './acp-session.ts'

/** Drives programs that speak the Agent Client Protocol over standard input and output; one process for each attempt. */
export function createAcpDriver(options: AcpSessionOptions): AgentDriver {
  return {
    kind: 'acp',
    enforcement: 'reported',
    async start(assignment, context) {
      const session = new AcpSession(options, assignment, context)
      try {
        await session.open()
        return session
      } catch (error) {
        await session.stop()
        throw error
      }
    },
  }
}
