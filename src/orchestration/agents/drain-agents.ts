import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { agentStates } from './agents-states-contract.ts'
import { type AgentChange, type AgentRow, changeAgents, lockAgents } from './agents-store.ts'

/**
 * Gives agents nothing new, because their runner is about to end. What people want of them is kept. Safe to repeat: one
 * that came back meanwhile is drained again. Returns how many slots they still hold.
 */
export async function drainAgents(
  tx: Tx,
  tenant: TenantId,
  ids: readonly AgentId[],
  reason: string,
  now: Date,
): Promise<number> {
  const agents = await lockAgents(tx, tenant, ids)
  const changes = agents.filter(mayTakeWork).map(
    (agent): AgentChange => ({
      agent,
      event: 'drain',
      intent: agent.intent === null || agent.intent === 'warm' ? 'drain' : agent.intent,
      reason,
    }),
  )
  await changeAgents(tx, changes, now)
  return agents.reduce((sum, agent) => sum + agent.used, 0)
}

function mayTakeWork({ state }: AgentRow): boolean {
  return state !== 'draining' && agentStates[state].drain !== null
}
