import type { StateTable } from '../../foundation/kernel/state-table.ts'

export type AgentState = 'starting' | 'healthy' | 'degraded' | 'unhealthy' | 'draining' | 'stopping' | 'offline'

/**
 * `ready`: its runner takes work for it, or again. `degrade`: its runner has been silent for a moment. `fail`: it failed
 * by its own fault again and again. `recover`: silence or rest is over. `drain`: it is to take nothing new. `resume`: it
 * may again. `stop`: it holds nothing and goes. `lose`: its runner is given up, or it is gone.
 */
export type AgentEvent = 'ready' | 'degrade' | 'fail' | 'recover' | 'drain' | 'resume' | 'stop' | 'lose'

const none = {
  ready: null,
  degrade: null,
  fail: null,
  recover: null,
  drain: null,
  resume: null,
  stop: null,
  lose: null,
} as const
/** An agent whose runner comes back is used again, from wherever it was, unless somebody wants it drained. */
const present = { ...none, ready: 'healthy', drain: 'draining', stop: 'stopping', lose: 'offline' } as const

export const agentStates: StateTable<AgentState, AgentEvent> = {
  starting: { ...present, fail: 'unhealthy' },
  healthy: { ...present, degrade: 'degraded', fail: 'unhealthy' },
  degraded: { ...present, fail: 'unhealthy', recover: 'healthy' },
  unhealthy: { ...present, recover: 'healthy' },
  draining: { ...none, ready: 'draining', drain: 'draining', resume: 'healthy', stop: 'stopping', lose: 'offline' },
  stopping: { ...none, lose: 'offline' },
  offline: { ...none, ready: 'healthy' },
}

/** States in which an agent counts for the size of its pool. */
export const servingStates = ['starting', 'healthy', 'degraded', 'unhealthy'] as const satisfies readonly AgentState[]
