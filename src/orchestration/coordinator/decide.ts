import type { Candidate, Strategy } from '../../foundation/balancing/candidate.ts'
import { type StrategyName, strategies } from '../../foundation/balancing/strategies.ts'
import type { AgentProfile } from './agent-profile.ts'
import { FairShares, type Flow, type OpenShares } from './fair-shares.ts'
import type { LaneRequirements } from './lane-contract.ts'
import { type Room, Rooms } from './rooms.ts'
import { ShardDecision } from './shard-decision.ts'

export { canServe } from './placement.ts'

/** A ready task at the head of its lane. */
export interface Head {
  readonly taskId: string
  readonly readySeq: number
  /** What the attempt would hold, budget by budget. Even where that is nothing, something must be left of the budget. */
  readonly holds: readonly { readonly budget: string; readonly amount: number }[]
}

/** Tasks of one pool that ask for the same of an agent, with one priority. */
export interface Lane extends LaneRequirements {
  readonly lane: string
  /** The oldest first; there may be more behind them. */
  readonly heads: readonly Head[]
}

export interface FreeAgent extends Candidate, Partial<Omit<AgentProfile, 'levels'>> {
  readonly runnerId: string
  readonly capabilities: ReadonlySet<string>
  /** What it hands out, and with whom together. Absent: slots alone bind it. */
  readonly rooms?: readonly Room[]
}

export interface ShardSnapshot {
  readonly lanes: readonly Lane[]
  readonly agents: readonly FreeAgent[]
  /** What each budget still admits; absent: no limit. */
  readonly budgets: ReadonlyMap<string, number>
  /** Most assignments of one tick. */
  readonly limit: number
  /** Agents (or runners) that work for a key of anti-affinity now: `scope:key` to their ids. Default: none. */
  readonly occupied?: ReadonlyMap<string, ReadonlySet<string>>
}

export interface TaskAssignment {
  readonly taskId: string
  readonly agentId: string
  readonly runnerId: string
  /** What the task takes of budgets. */
  readonly holds: Head['holds']
}

export interface Decision {
  readonly assignments: readonly TaskAssignment[]
  /** Ready tasks that a budget does not admit; they leave the lane until the budget has room. */
  readonly refused: readonly { readonly taskId: string; readonly budget: string }[]
}

export type StrategyNamed = (name: StrategyName, shard: { readonly tenant: string; readonly pool: string }) => Strategy

export interface DecideOptions {
  /** What earlier decisions gave to whom. Default: nothing is remembered. */
  readonly shares?: FairShares
  /** The strategy of a step that names its own; the same value each time for a pool, as it remembers its picks. */
  readonly strategyNamed?: StrategyNamed
}

/**
 * Which task goes to which agent: never more than an agent's slots, a room's capacity or a budget's remainder. Who comes
 * first is decided, in this order, by
 * 1. fair shares of the runs, heavier by priority: those with many tasks share with all the others;
 * 2. priority, the higher first, but every sixteenth task is the one that has been ready for longest, so that nobody starves;
 *    lanes of one priority take turns;
 * 3. age: within a lane the oldest first.
 */
export function decide(snapshot: ShardSnapshot, strategy: Strategy, options: DecideOptions = {}): Decision {
  return decideShards([{ ...snapshot, tenant: '', pool: '', strategy }], { ...options, limit: snapshot.limit })[0]!
}

/** A shard with what it belongs to. */
export interface ShardToDecide extends ShardSnapshot {
  readonly tenant: string
  readonly pool: string
  readonly strategy: Strategy
}

/** Several shards at once: their tenants share by weight what is common to them, that is rooms and the limit. */
export function decideShards(
  shards: readonly ShardToDecide[],
  options: DecideOptions & {
    /** Most assignments of all together. */
    readonly limit: number
    /** Default: all tenants are alike. */
    readonly weightOf?: (tenant: string) => number
  },
): readonly Decision[] {
  const { shares = new FairShares(), weightOf = () => 1, strategyNamed = namedStrategies() } = options
  const rooms = new Rooms()
  const budgets = new Map<ReadonlyMap<string, number>, Map<string, number>>()
  const decisions = shards.map((shard) => {
    // Shards of one tenant may draw on the same budgets.
    let remaining = budgets.get(shard.budgets)
    if (remaining === undefined) {
      remaining = new Map(shard.budgets)
      budgets.set(shard.budgets, remaining)
    }
    return new ShardDecision(shard, { rooms, shares, strategyNamed, remaining })
  })
  const tenants = [...Map.groupBy(decisions, (decision) => decision.shard.tenant)].map(
    ([key, own]): TenantFlow => ({ key, weight: weightOf(key), pools: shares.open(`tenant ${key}`, own) }),
  )
  const open = shares.open('tenants', tenants)
  for (let given = 0; given < options.limit; ) {
    const tenant = open.next()
    if (tenant === null) break
    const pool = tenant.pools.next()
    if (pool === null) open.leave(tenant)
    else if (!pool.giveOne()) tenant.pools.leave(pool)
    else {
      given += 1
      tenant.pools.serve(pool)
      open.serve(tenant)
    }
  }
  for (const tenant of tenants) tenant.pools.close()
  open.close()
  return decisions.map((decision) => decision.close())
}

interface TenantFlow extends Flow {
  readonly pools: OpenShares<ShardDecision>
}

function namedStrategies(): StrategyNamed {
  const made = new Map<string, Strategy>()
  return (name, { tenant, pool }) => {
    const key = `${tenant}/${pool}/${name}`
    let strategy = made.get(key)
    if (strategy === undefined) {
      strategy = strategies[name]()
      made.set(key, strategy)
    }
    return strategy
  }
}
