import type { Strategy } from '../../foundation/balancing/candidate.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Claim, ClaimsView } from './claims.ts'
import type { Counters } from './counters.ts'
import { type Decision, decide, type FreeAgent, type Head, type Lane } from './decide.ts'
import type { Shard, ShardLanes } from './sql/find-lanes.ts'
import { holdsOf, type LaneHeads, type RemainingBudget } from './sql/read-heads.ts'

/** A shard with room: its lanes that some agent can serve, and the agents as the database shows them. */
export interface Planned {
  readonly shard: ShardLanes
  readonly lanes: readonly {
    readonly lane: string
    readonly priority: number
    readonly capabilities: readonly string[]
    readonly limit: number
  }[]
  readonly agents: readonly FreeAgent[]
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
  readonly strategyOf: (shard: ShardLanes) => Strategy
}

export interface Decided {
  readonly assignments: readonly {
    readonly tenant: TenantId
    readonly taskId: string
    readonly agentId: string
    readonly runnerId: string
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
  for (const { shard, lanes: wanted, agents } of plans) {
    const { tenant } = shard
    const lanes = wanted.flatMap((lane): Lane[] => {
      const found = heads.find((item) => item.lane === lane.lane && isOf(shard, item))
      return found === undefined ? [] : [{ ...lane, heads: headsOf(found, view) }]
    })
    const left = budgets.get(tenant) ?? new Map<string, number>()
    const decision = decide(
      { lanes, agents: agentsOf(input, tenant, agents), budgets: left, limit },
      input.strategyOf(shard),
    )
    takeFrom(left, lanes, decision)
    claimAll(claim, tenant, lanes, decision)
    for (const item of decision.assignments) assignments.push({ tenant, ...item })
    for (const { taskId, budget } of decision.refused) {
      // What others hold may be counted twice: whether there is room is for the next tick to see.
      if (view.heldOf(tenant, budget) === 0) refused.push({ tenant, taskId, reason: `budget:${budget}` })
    }
  }
  return { assignments, refused }
}

function isOf(shard: Shard, lane: LaneHeads): boolean {
  return lane.tenant === shard.tenant && lane.pool === shard.pool
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
  ids.forEach((taskId, n) => {
    if (!view.has(tenant, taskId)) heads.push({ taskId, readySeq: readySeqs[n]!, holds: holdsOf(holds[n]!) })
  })
  return heads
}

function claimAll(claim: Claim, tenant: string, lanes: readonly Lane[], { assignments }: Decision): void {
  const agents = new Map(assignments.map((item) => [item.taskId, item.agentId]))
  for (const { heads } of lanes) {
    for (const { taskId, holds } of heads) {
      const agent = agents.get(taskId)
      if (agent !== undefined) claim.task(tenant, taskId, agent, holds)
    }
  }
}

/** What one shard takes of a budget is not there for the next. */
function takeFrom(left: Map<string, number>, lanes: readonly Lane[], { assignments }: Decision): void {
  if (left.size === 0) return
  const taken = new Set(assignments.map((item) => item.taskId))
  for (const { heads } of lanes) {
    for (const { taskId, holds } of heads) {
      if (!taken.has(taskId)) continue
      for (const { budget, amount } of holds) left.set(budget, (left.get(budget) ?? Number.POSITIVE_INFINITY) - amount)
    }
  }
}
