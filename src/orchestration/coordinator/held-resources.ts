import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { addAmounts, nothingHeld, type ResourceAmounts, usualRequest } from '../resources/amounts-contract.ts'
import type { AgentProfile } from './agent-profile.ts'
import type { FreeAgent } from './decide.ts'
import { type LaneRequirements, parseLane } from './lane-contract.ts'
import type { Room } from './rooms.ts'
import { lockResources } from './sql/lock-resources.ts'
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

export interface PlannedShard<L extends Partial<LaneRequirements>> {
  readonly tenant: string
  readonly pool: string
  readonly lanes: readonly L[]
  readonly agents: readonly FreeAgent[]
}

export interface BoundShard<L> {
  readonly lanes: readonly L[]
  readonly agents: readonly FreeAgent[]
  /** Agents and runners that work for a key of anti-affinity, by `scope:key`. */
  readonly occupied: ReadonlyMap<string, ReadonlySet<string>>
}

/**
 * The agents of each shard with what they may hand out, and the lanes that may be served. Reads nothing where no agent has a
 * capacity and no lane keeps apart.
 *
 * What is handed out must not change between the look and the commit, whoever else hands out at this moment: another
 * process, another shard with agents on the same runner, or another transaction of ours on the same shard. So the runners
 * are locked until the end of the transaction, and keeping apart is, pool by pool. What cannot be had is left for the next
 * tick; so are, in a transaction that sees one tenant only, the agents that share a capacity with those of others.
 */
export async function bindToResources<L extends Partial<LaneRequirements>>(
  tx: ReadTx,
  shards: readonly PlannedShard<L>[],
): Promise<readonly BoundShard<L>[]> {
  const runners = new Set<string>()
  const apart = new Set<string>()
  for (const shard of shards) {
    for (const agent of shard.agents) if (agent.capacity || agent.runnerCapacity) runners.add(agent.runnerId)
    if (shard.lanes.some((lane) => lane.apart !== undefined)) {
      apart.add(apartLock(shard))
      for (const agent of shard.agents) runners.add(agent.runnerId)
    }
  }
  if (runners.size === 0) return shards.map(({ lanes, agents }) => ({ lanes, agents, occupied: new Map() }))

  const locked = await lockResources(tx, [...runners, ...apart].sort())
  const held = new HeldResources(await readHeld(tx, [...runners]))
  const seesAll = tx.tenant === null
  return shards.map((shard) => {
    const { tenant, lanes, agents } = shard
    const mayKeepApart = locked.has(apartLock(shard))
    return {
      lanes: lanes.filter((lane) => lane.apart === undefined || mayKeepApart),
      agents: agents.flatMap((agent) => {
        const rooms = held.roomsOf(tenant, agent)
        if (rooms === undefined) return [agent]
        const isOurs = locked.has(agent.runnerId) && (seesAll || !agent.runnerCapacity)
        return isOurs ? [{ ...agent, rooms }] : []
      }),
      occupied: held.occupiedOf(tenant),
    }
  })
}

function apartLock({ tenant, pool }: { readonly tenant: string; readonly pool: string }): string {
  return `apart ${tenant}/${pool}`
}
