import { servingStates } from './agents-states-contract.ts'
import type { AgentRow } from './agents-store.ts'

export interface PoolSize {
  readonly desired: number
  /** Agents kept started beside those at work. */
  readonly warm: number
}

export interface SizeMoves {
  /** Warm agents that begin to work. */
  readonly promote: readonly AgentRow[]
  /** Agents on their way out that stay after all. */
  readonly recall: readonly AgentRow[]
  /** Agents that finish what they have and go. */
  readonly drain: readonly AgentRow[]
  /** New agents at work, and new warm ones. */
  readonly start: number
  readonly startWarm: number
}

/**
 * What brings a pool to its size. More: those on their way out are kept, then warm ones work, then new ones start. Fewer:
 * those that hold least go, the youngest first among equals. People's cordons and drains are left alone; the agents they
 * hold back do not count.
 */
export function sizePool(agents: readonly AgentRow[], { desired, warm }: PoolSize): SizeMoves {
  const serving = agents.filter(isServing)
  const idle = agents.filter((agent) => agent.intent === 'warm' && agent.state === 'starting')
  const leaving = agents.filter((agent) => agent.intent === 'remove' && agent.state === 'draining')
  let missing = desired - serving.length
  const recall = leaving.slice(0, Math.max(0, missing))
  missing -= recall.length
  const promote = idle.slice(0, Math.max(0, missing))
  missing -= promote.length
  const surplus = Math.max(0, -missing)
  const left = idle.length - promote.length
  const order = [...serving].sort((a, b) => a.used - b.used || b.registeredAt.getTime() - a.registeredAt.getTime())
  return {
    promote,
    recall,
    drain: [...order.slice(0, surplus), ...idle.slice(promote.length).slice(Math.max(0, warm))],
    start: Math.max(0, missing),
    startWarm: Math.max(0, warm - left),
  }
}

function isServing(agent: AgentRow): boolean {
  return agent.intent === null && (servingStates as readonly string[]).includes(agent.state)
}
