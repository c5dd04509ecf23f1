import type { Strategy } from '../../foundation/balancing/candidate.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Claim, ClaimsView } from './claims.ts'
import { countBy } from './count-by.ts'
import type { Counters } from './counters.ts'
import { type Decision, decideShards, type FreeAgent, type Head, type Lane, type StrategyNamed } from './decide.ts'
import type { FairShares } from './fair-shares.ts'
import type { LaneRequirements } from './lane-contract.ts'
import type { LaneRoom } from './lane-room.ts'
import type { ShardLanes } from './sql/find-lanes.ts'
import { holdsOf, type LaneHeads, type RemainingBudget } from './sql/read-heads.ts'

/** A shard with room: its lanes that some agent can serve, and the agents as the database shows them. */
export interface Planned {
  readonly shard: ShardLanes
  readonly lanes: readonly (LaneRequirements & LaneRoom & { readonly lane: string })[]
  readonly agents: readonly FreeAgent[]
  /** Who works for a key of anti-affinity now; see `bindToResources`. */
  readonly occupied?: ReadonlyMap<string, ReadonlySet<string>>
}

export interface DecideInput {
  readonly plans: readonly Planned[]
  readonly heads: readonly LaneHeads[]
  /** What budgets still admitted when they were read; those without a limit are left out. */
  readonly remaining: readonly RemainingBudget[]
  /** What this transaction has taken and given back. */
  readonly counters: Counters
  readonly claim: Claim
  /** What other transactions have claimed. */
  readonly view: ClaimsView
  /** Most assignments of a shard. */
  readonly limit: number
  /** Who had how much in the ticks before. */
  readonly shares: FairShares
  readonly strategyOf: (shard: ShardLanes) => Strategy
  /** The strategies of steps that name their own. */
  readonly strategyNamed: StrategyNamed
  /** Of tenants. Default: all are alike. */
  readonly weightOf?: (tenant: string) => number
}

export interface Decided {
  readonly assignments: readonly {
    readonly tenant: TenantId
    readonly taskId: string
    readonly agentId: string
    readonly runnerId: string
    readonly holds: Head['holds']
  }[]
  readonly refused: readonly { readonly tenant: TenantId; readonly taskId: string; readonly reason: string }[]
}

/**
 * Decides for all shards of a tick, and claims what it decides. Nothing is awaited in it: what others have claimed by now
 * is left out, and they will see this.
 */
export function decideAll(input: DecideInput): Decided {
  const { plans, heads, claim, view, limit } = input
  const assignments: Decided['assignments'][number][] = []
  const refused: Decided['refused'][number][] = []
  const budgets = roomOf(input)
  const headsOfLane = new Map(heads.map((item) => [`${item.tenant}/${item.pool}/${item.lane}`, item]))
  const shards = plans.map(({ shard, lanes: wanted, agents, occupied }) => {
    const { tenant, pool } = shard
    const lanes = wanted.flatMap((lane): Lane[] => {
      const found = headsOfLane.get(`${tenant}/${pool}/${lane.lane}`)
      return found === undefined ? [] : [{ ...lane, heads: headsOf(found, view) }]
    })
    return {
      ...{
        tenant,
        pool,
        lanes,
        limit,
        strategy: input.strategyOf(shard),
        ...(occupied === undefined ? {} : { occupied }),
      },
      agents: agentsOf(input, tenant, agents),
      // One map for all shards of a tenant: what one takes of a budget is not there for the next.
      budgets: budgets.get(tenant) ?? new Map<string, number>(),
    }
  })
  const { shares, strategyNamed, weightOf } = input
  const weights = weightOf === undefined ? {} : { weightOf }
  const decisions = decideShards(shards, { limit: limit * plans.length, shares, strategyNamed, ...weights })
  decisions.forEach((decision, n) => {
    const { tenant } = plans[n]!.shard
    claimAll(claim, tenant, decision)
    for (const { taskId, agentId, runnerId, holds } of decision.assignments) {
      assignments.push({ tenant, taskId, agentId, runnerId, holds })
    }
    for (const { taskId, budget } of decision.refused) {
      // What others hold may be counted twice: whether there is room is for the next tick to see.
      if (view.heldOf(tenant, budget) === 0) refused.push({ tenant, taskId, reason: `budget:${budget}` })
    }
  })
  return { assignments, refused }
}

/** The agents with the slots that are free by now. */
function agentsOf({ counters, view }: DecideInput, tenant: string, agents: readonly FreeAgent[]): readonly FreeAgent[] {
  return agents.map((agent) => {
    const used = agent.used + counters.usedOf(tenant, agent.id) + view.slotsOf(tenant, agent.id)
    return { ...agent, used: Math.min(agent.slots, used) }
  })
}

/** What the budgets admit by now, per tenant. Read without a lock: the assignment checks again. */
function roomOf({ remaining, counters, view }: DecideInput): Map<TenantId, Map<string, number>> {
  const room = new Map<TenantId, Map<string, number>>()
  for (const budget of remaining) {
    const { tenant, id } = budget
    const own = room.get(tenant) ?? new Map<string, number>()
    own.set(id, budget.remaining - counters.takenOf(tenant, id) - view.heldOf(tenant, id))
    room.set(tenant, own)
  }
  return room
}

/** What nobody else has claimed. */
function headsOf({ tenant, ids, readySeqs, holds }: LaneHeads, view: ClaimsView): Head[] {
  const heads: Head[] = []
  const claimed = view.tasksOf(tenant)
  ids.forEach((taskId, n) => {
    if (!claimed.some((tasks) => tasks.has(taskId)))
      heads.push({ taskId, readySeq: readySeqs[n]!, holds: holdsOf(holds[n]!) })
  })
  return heads
}

function claimAll(claim: Claim, tenant: string, { assignments }: Decision): void {
  claim.tasks(
    tenant,
    assignments.map((item) => item.taskId),
  )
  for (const [agentId, tasks] of countBy(assignments, (item) => item.agentId)) claim.agent(tenant, agentId, tasks)
  for (const [holds, tasks] of countBy(assignments, (item) => item.holds)) {
    for (const { budget, amount } of holds) claim.budget(tenant, budget, tasks * amount)
  }
}
