import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import { AcpSession, type AcpSessionOptions } from './acp-session.ts'

/** Drives programs that speak the Agent Client Protocol over standard input and output; one process for each attempt. */
export function createAcpDriver(options: AcpSessionOptions): AgentDriver {
  return {
    kind: 'acp',
    enforcement: 'reported',
    start: (assignment, context) => openSession(new AcpSession(options, assignment, context)),
  }
}
