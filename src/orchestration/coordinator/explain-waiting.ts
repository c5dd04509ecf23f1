import { dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { fitsBeside, nothingHeld, type ResourceAmounts, usualRequest } from '../resources/amounts-contract.ts'
import { type AgentProfile, profileOf } from './agent-profile.ts'
import { type LaneRequirements, parseLane } from './lane-contract.ts'
import { canServe, unfitFor } from './placement.ts'
import { readPoolProfiles } from './sql/read-pool-profiles.ts'

export interface ReadyTask {
  readonly id: string
  readonly pool: string
  readonly lane: string
}

/** Agents of a pool that are alike. */
export interface AlikeAgents {
  readonly profile: AgentProfile
  /** All their slots are in use. */
  readonly full: boolean
}

/** Why tasks that could start have not, by id; a task without an entry starts with the next tick. */
export async function explainWaiting(
  tx: ReadTx,
  tenant: TenantId,
  tasks: readonly ReadyTask[],
): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>()
  if (tasks.length === 0) return reasons
  const rows = await readPoolProfiles(tx, tenant, [...new Set(tasks.map((task) => task.pool))])
  const agents = rows.map(({ pool, capabilities, labels, full }) => ({
    pool,
    full,
    profile: profileOf(capabilities, labels),
  }))
  for (const task of tasks) {
    const inPool = agents.filter((agent) => agent.pool === task.pool)
    const reason = explainLane(task.pool, parseLane(task.lane), inPool)
    if (reason !== null) reasons.set(task.id, reason)
  }
  return reasons
}

/** Branches are moved where the repository is: runners that joined a server by its address never do it. */
const whoMerges =
  ': branches are moved where the repository is, by the agents `local` of `leanvibe serve`, or of `leanvibe work` that joined the database'

/** Null where nothing is known to be in the way. */
export function explainLane(pool: string, lane: LaneRequirements, agents: readonly AlikeAgents[]): string | null {
  const merges = lane.capabilities.includes('merge') ? whoMerges : ''
  if (agents.length === 0) return `the pool ${pool} has no agents${merges}`
  const able = agents.filter(({ profile }) => canServe(profile, lane.capabilities))
  if (able.length === 0) return `no agent of the pool ${pool} offers ${lane.capabilities.join(', ')}${merges}`
  const fitting = able.filter(({ profile }) => unfitFor(profile, lane) === null)
  if (fitting.length === 0) {
    const lacks = [...new Set(able.map(({ profile }) => unfitFor(profile, lane)))]
    return `no agent of the pool ${pool} that could do it ${lacks.join(', or ')}`
  }
  const request = lane.resources ?? usualRequest
  const large = fitting.filter(({ profile }) => couldHold(profile, request))
  if (large.length === 0) return `no agent of the pool ${pool} that could do it ever has ${lackOf(request, fitting)}`
  if (large.every(({ full }) => full)) return `all agents of the pool ${pool} that could do it are busy`
  if (large.every(({ full, profile }) => full || profile.capacity !== null || profile.runnerCapacity !== null)) {
    return `the agents of the pool ${pool} that could do it have not enough cpu, memory, disk or network left for it, or are about to begin it`
  }
  if (lane.apart !== undefined)
    return `every agent of the pool ${pool} that is free works for the same key of anti-affinity, or is about to begin it`
  return null
}

function couldHold({ capacity, runnerCapacity }: AgentProfile, request: ResourceAmounts): boolean {
  return fitsBeside(request, nothingHeld, capacity ?? {}) && fitsBeside(request, nothingHeld, runnerCapacity ?? {})
}

/** The resources of which none of them has enough, with what is asked for. */
function lackOf(request: ResourceAmounts, agents: readonly AlikeAgents[]): string {
  const lacking = dimensions.filter((name) => {
    const only = { ...nothingHeld, [name]: request[name] }
    return agents.every(({ profile }) => !couldHold(profile, only))
  })
  // Each has enough of some, and none of all.
  const named = lacking.length > 0 ? lacking : dimensions
  return named.map((name) => `${name} ${request[name]}`).join(', ')
}
