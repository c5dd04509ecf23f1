import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import type { A2aSessionOptions } from './a2a-session.ts'

/** Drives remote agents that speak the Agent2Agent protocol; one remote task for each task of ours. */
export function createA2aDriver(options: A2aSessionOptions): AgentDriver {
  return {
    kind: 'a2a',
    enforcement: 'reported',
    async start(assignment, context) {
      // The SDK takes a tenth of a second to load: only for those who have such agents.
      const { A2aSession } = await import('./a2a-session.ts')
      return openSession(new A2aSession(options, assignment, context))
    },
  }
}
