import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import { A2aSession, type A2aSessionOptions } from './a2a-session.ts'

/** Drives remote agents that speak the Agent2Agent protocol; one remote task for each task of ours. */
export function createA2aDriver(options: A2aSessionOptions): AgentDriver {
  return {
    kind: 'a2a',
    enforcement: 'reported',
    start: (assignment, context) => openSession(new A2aSession(options, assignment, context)),
  }
}
