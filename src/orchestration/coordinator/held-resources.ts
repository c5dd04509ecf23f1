import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { addAmounts, nothingHeld, type ResourceAmounts, usualRequest } from '../resources/amounts-contract.ts'
import type { AgentProfile } from './agent-profile.ts'
import type { FreeAgent } from './decide.ts'
import { type LaneRequirements, parseLane } from './lane-contract.ts'
import type { Room } from './rooms.ts'
import { lockRunners } from './sql/lock-runners.ts'
import { type HeldLane, readHeld } from './sql/read-held.ts'

type Placed = Pick<FreeAgent, 'id' | 'runnerId'> & Partial<Pick<AgentProfile, 'capacity' | 'runnerCapacity'>>

/** What the leases hold, by agent and by runner, and where work is that wants to be apart. */
export class HeldResources {
  readonly #held = new Map<string, ResourceAmounts>()
  readonly #occupied = new Map<string, Map<string, Set<string>>>()

  constructor(lanes: readonly HeldLane[]) {
    for (const { tenant, agentId, runnerId, lane, count } of lanes) {
      const { resources = usualRequest, apart } = parseLane(lane)
      this.#add(`agent ${tenant}/${agentId}`, resources, count)
      this.#add(`runner ${runnerId}`, resources, count)
      if (apart === undefined) continue
      const own = this.#occupied.get(tenant) ?? new Map<string, Set<string>>()
      const key = `${apart.scope}:${apart.key}`
      const ids = own.get(key) ?? new Set<string>()
      own.set(key, ids.add(apart.scope === 'runner' ? runnerId : agentId))
      this.#occupied.set(tenant, own)
    }
  }

  /** What an agent has to share with whom; undefined where slots alone bind it. */
  roomsOf(tenant: string, { id, runnerId, capacity, runnerCapacity }: Placed): readonly Room[] | undefined {
    const rooms: Room[] = []
    if (capacity) rooms.push(this.#room(`agent ${tenant}/${id}`, capacity))
    if (runnerCapacity) rooms.push(this.#room(`runner ${runnerId}`, runnerCapacity))
    return rooms.length === 0 ? undefined : rooms
  }

  /** Agents and runners that work for a key of anti-affinity, by `scope:key`. */
  occupiedOf(tenant: string): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#occupied.get(tenant) ?? new Map()
  }

  #room(key: string, capacity: Room['capacity']): Room {
    return { key, capacity, held: this.#held.get(key) ?? nothingHeld }
  }

  #add(key: string, resources: ResourceAmounts, count: number): void {
    this.#held.set(key, addAmounts(this.#held.get(key) ?? nothingHeld, resources, count))
  }
}

export interface PlannedShard {
  readonly tenant: string
  readonly lanes: readonly Partial<LaneRequirements>[]
  readonly agents: readonly FreeAgent[]
}

/**
 * The agents of each shard with what they may hand out. Reads nothing where no agent has a capacity and no lane keeps
 * apart. Agents are left out whose runner's capacity another tick is handing out at this moment; and in a transaction that
 * sees one tenant only, all that share one: their runners get what there is when they next ask.
 */
export async function bindToResources(
  tx: ReadTx,
  shards: readonly PlannedShard[],
): Promise<
  readonly { readonly agents: readonly FreeAgent[]; readonly occupied: ReadonlyMap<string, ReadonlySet<string>> }[]
> {
  const all = shards.flatMap((shard) => shard.agents)
  const bounded = all.filter((agent) => agent.capacity || agent.runnerCapacity)
  const keepsApart = shards.some((shard) => shard.lanes.some((lane) => lane.apart !== undefined))
  if (bounded.length === 0 && !keepsApart) return shards.map(({ agents }) => ({ agents, occupied: new Map() }))

  const shared = new Set(bounded.filter((agent) => agent.runnerCapacity).map((agent) => agent.runnerId))
  const seesAll = tx.tenant === null
  const locked = shared.size === 0 || !seesAll ? new Set<string>() : await lockRunners(tx, [...shared].sort())
  const runners = [...new Set((keepsApart ? all : bounded).map((agent) => agent.runnerId))]
  const held = new HeldResources(await readHeld(tx, runners))
  return shards.map(({ tenant, agents }) => ({
    agents: agents
      .filter((agent) => !shared.has(agent.runnerId) || locked.has(agent.runnerId))
      .map((agent) => {
        const rooms = held.roomsOf(tenant, agent)
        return rooms === undefined ? agent : { ...agent, rooms }
      }),
    occupied: held.occupiedOf(tenant),
  }))
}
