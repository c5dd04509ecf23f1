import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import { type AgentChange, changeAgents, lockAgents } from './agents-store.ts'
import { type AgentOnRunner, readAgentsOn } from './pool-hosts-store.ts'

/** What a runner that joined by URL is to change about its agents. */
export interface AgentOrders {
  readonly start: readonly { readonly id: string; readonly pool: string }[]
  readonly stop: readonly string[]
}

export interface JoinedAgentsOptions {
  readonly database: Database
  /** Matches ready work with free slots. */
  readonly onShards: (shards: readonly Shard[]) => Promise<void>
}

/**
 * Compares the agents that a runner says it has with those that the registry wants there. What it has begun to run takes
 * work from now on, unless it is kept warm; what the registry has forgotten, because it was drained and held nothing, stops.
 */
export async function settleJoinedAgents(
  { database, onShards }: JoinedAgentsOptions,
  tenant: TenantId,
  runnerId: string,
  running: readonly string[],
): Promise<AgentOrders> {
  const wanted = await database.forTenant(tenant).read((tx) => readAgentsOn(tx, tenant, runnerId))
  const runs = new Set(running)
  const arrived = wanted.filter((agent) => runs.has(agent.id) && isExpected(agent)).map(({ id }) => id)
  if (arrived.length > 0) await admit(database, tenant, arrived, onShards)
  const known = new Set<string>(wanted.map(({ id }) => id))
  return {
    start: wanted.filter(({ id }) => !runs.has(id)).map(({ id, pool }) => ({ id, pool })),
    stop: running.filter((id) => !known.has(id)),
  }
}

function isExpected({ state, intent }: Pick<AgentOnRunner, 'state' | 'intent'>): boolean {
  return state === 'starting' && intent === null
}

async function admit(
  database: Database,
  tenant: TenantId,
  ids: readonly AgentId[],
  onShards: JoinedAgentsOptions['onShards'],
): Promise<void> {
  const pools = await database.asSystem('remote-runners').write(async (tx) => {
    const agents = (await lockAgents(tx, tenant, ids)).filter(isExpected)
    const changes = agents.map((agent): AgentChange => ({ agent, event: 'ready', intent: null, reason: 'started' }))
    await changeAgents(tx, changes, database.clock.now())
    return new Set(agents.map(({ pool }) => pool))
  })
  if (pools.size > 0) await onShards([...pools].map((pool) => ({ tenant, pool })))
}
