import type { Strategy } from '../../foundation/balancing/candidate.ts'
import { type StrategyName, strategies } from '../../foundation/balancing/strategies.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { AgentDirectory } from './agent-directory.ts'
import type { Counters } from './counters.ts'
import { canServe, type Decision, decide, type FreeAgent, type Lane } from './decide.ts'
import { parseLane } from './lane-contract.ts'
import { assignTasks, type LeasedTask } from './sql/assign-tasks.ts'
import { mostTasks } from './sql/chunks-of.ts'
import { findLanes, type Shard, type ShardLanes } from './sql/find-lanes.ts'
import { holdTasks } from './sql/hold-tasks.ts'
import { lockShards } from './sql/lock-shards.ts'
import { holdsOf, type LaneHeads, readHeads } from './sql/read-heads.ts'
import { readRemaining } from './sql/read-remaining.ts'
import { uniqueShards } from './task-queue.ts'

export interface TickOptions {
  /** Most assignments of one tick over all its shards. */
  readonly batch: number
  /** Added to a task's timeout for the backstop of its lease, ms. */
  readonly graceMs: number
  readonly maxAgents: number
}

export const tickDefaults: TickOptions = { batch: 500, graceMs: 30_000, maxAgents: 2_000 }

export interface TickResult {
  readonly leased: readonly LeasedTask[]
  /** There was work and room for more than one batch. */
  readonly more: boolean
}

interface Planned {
  readonly shard: ShardLanes
  readonly lanes: readonly {
    readonly lane: string
    readonly priority: number
    readonly capabilities: readonly string[]
    readonly limit: number
  }[]
  readonly agents: readonly FreeAgent[]
}

/** Matches ready tasks with free slots, shard by shard, in the caller's transaction. Keeps only what can be derived again. */
export class Ticker {
  readonly #options: TickOptions
  readonly #directory = new AgentDirectory()
  readonly #strategies = new Map<string, Strategy>()
  readonly #agentsFrom = new Map<string, string>()

  constructor(options: Partial<TickOptions> = {}) {
    const given = { ...tickDefaults, ...options }
    this.#options = { ...given, batch: Math.min(given.batch, mostTasks) }
  }

  /** Slots and budgets that it takes are added to `counters`, and the caller writes them last. */
  async tick(
    tx: Tx,
    asked: readonly Shard[],
    now: Date,
    forRunner: string | null,
    counters: Counters,
  ): Promise<TickResult> {
    const leased: LeasedTask[] = []
    const shards = asked.length === 0 ? [] : await lockShards(tx, uniqueShards(asked))
    if (shards.length === 0) return { leased, more: false }
    // Tasks that a budget refuses leave their lane; what is behind them gets its chance in the same tick.
    for (let round = 0; round < mostRounds; round++) {
      const result = await this.#round(tx, shards, now, forRunner, counters, round > 0)
      leased.push(...result.leased)
      if (result.refused === 0) return { leased, more: leased.length >= this.#options.batch }
    }
    return { leased, more: true }
  }

  /** One decision. `deep` reads as many heads as a batch holds, not only as many as there are slots. */
  async #round(
    tx: Tx,
    shards: readonly Shard[],
    now: Date,
    forRunner: string | null,
    counters: Counters,
    deep: boolean,
  ): Promise<{ readonly leased: readonly LeasedTask[]; readonly refused: number }> {
    const from = shards.map((shard) => this.#agentsFrom.get(keyOf(shard)) ?? '')
    const found = await findLanes(tx, shards, from, this.#options.maxAgents, counters.freedAgents)
    const plans: Planned[] = []
    for (const shard of found) {
      if (shard.agents.length === 0) continue
      const plan = await this.#plan(tx, shard, counters)
      if (plan.lanes.length > 0) plans.push(plan)
      this.#rotate(shard)
    }
    if (plans.length === 0) return { leased: [], refused: 0 }

    const heads = await readHeads(
      tx,
      plans.flatMap((plan) =>
        plan.lanes.map((lane) => ({ ...plan.shard, ...lane, ...(deep ? { limit: this.#options.batch } : {}) })),
      ),
    )
    const budgets = await readBudgets(tx, heads, counters)
    const assignments: { tenant: TenantId; taskId: string; agentId: string; runnerId: string }[] = []
    const refused: { tenant: TenantId; taskId: string; reason: string }[] = []
    for (const plan of plans) {
      const own = heads.filter((lane) => lane.tenant === plan.shard.tenant && lane.pool === plan.shard.pool)
      const byLane = new Map(own.map((lane) => [lane.lane, lane]))
      const lanes: Lane[] = plan.lanes.flatMap((lane) => {
        const found = byLane.get(lane.lane)
        return found === undefined
          ? []
          : [
              {
                ...lane,
                heads: found.ids.map((id, i) => ({
                  taskId: id,
                  readySeq: found.readySeqs[i]!,
                  holds: holdsOf(found.holds[i]!),
                })),
              },
            ]
      })
      const limit = Math.max(1, Math.floor(this.#options.batch / plans.length))
      const left = budgets.get(plan.shard.tenant) ?? new Map<string, number>()
      const decision = decide({ lanes, agents: plan.agents, budgets: left, limit }, this.#strategyOf(plan.shard))
      takeFrom(left, lanes, decision)
      for (const item of decision.assignments) assignments.push({ tenant: plan.shard.tenant, ...item })
      for (const item of decision.refused) {
        refused.push({ tenant: plan.shard.tenant, taskId: item.taskId, reason: `budget:${item.budget}` })
      }
    }
    await holdTasks(tx, refused, now)
    if (assignments.length === 0) return { leased: [], refused: refused.length }
    const leased = await assignTasks(tx, assignments, now, this.#options.graceMs, forRunner)
    count(leased, heads, counters)
    return { leased, refused: refused.length }
  }

  async #plan(tx: Tx, shard: ShardLanes, counters: Counters): Promise<Planned> {
    const rows = shard.agents.map(([id, runnerId, slots, used, weight, rev]) => ({
      id,
      runnerId,
      slots,
      used: used + counters.usedOf(shard.tenant, id),
      weight,
      rev,
    }))
    const capabilities = await this.#directory.capabilities(tx, shard.tenant, rows)
    const agents = rows.map((row) => ({ ...row, capabilities: capabilities(row.id) }))
    const lanes = shard.lanes.flatMap((lane) => {
      const wanted = parseLane(lane)
      let room = 0
      for (const agent of agents) if (canServe(agent, wanted.capabilities)) room += agent.slots - agent.used
      return room === 0 ? [] : [{ lane, ...wanted, limit: Math.min(room, this.#options.batch) }]
    })
    return { shard, lanes, agents }
  }

  #rotate(shard: ShardLanes): void {
    const full = shard.agents.length >= this.#options.maxAgents
    if (full) this.#agentsFrom.set(keyOf(shard), shard.agents.at(-1)![0])
    else this.#agentsFrom.delete(keyOf(shard))
  }

  #strategyOf(shard: ShardLanes): Strategy {
    const name = (shard.strategy ?? 'least_connections') as StrategyName
    const key = `${keyOf(shard)}/${name}`
    let strategy = this.#strategies.get(key)
    if (strategy === undefined) {
      strategy = strategies[name]()
      this.#strategies.set(key, strategy)
    }
    return strategy
  }
}

/** How often one tick looks behind what budgets refused. */
const mostRounds = 4

function keyOf(shard: Shard): string {
  return `${shard.tenant}/${shard.pool}`
}

/** What one shard takes of a budget is not there for the next. */
function takeFrom(left: Map<string, number>, lanes: readonly Lane[], { assignments }: Decision): void {
  if (left.size === 0) return
  const taken = new Set(assignments.map((item) => item.taskId))
  for (const { holds } of lanes.flatMap((lane) => lane.heads.filter((head) => taken.has(head.taskId)))) {
    for (const { budget, amount } of holds) left.set(budget, (left.get(budget) ?? Number.POSITIVE_INFINITY) - amount)
  }
}

/** Adds what the leases take: a slot each, and what they hold. */
function count(leased: readonly LeasedTask[], heads: readonly LaneHeads[], counters: Counters): void {
  for (const { tenant, agentId } of leased) counters.agent({ tenant, agentId, used: 1 })
  const taken = new Set(leased.map((task) => task.taskId as string))
  for (const lane of heads) {
    const tasks = new Map<string, number>()
    lane.ids.forEach((id, n) => {
      const holds = lane.holds[n]!
      if (holds !== '' && taken.has(id)) tasks.set(holds, (tasks.get(holds) ?? 0) + 1)
    })
    for (const [holds, n] of tasks) {
      for (const { budget, amount } of holdsOf(holds)) {
        counters.budget({ tenant: lane.tenant, budget, held: n * amount, spent: 0 })
      }
    }
  }
}

/** What each budget named by the heads still admits, per tenant. Read without a lock: the assignment checks again. */
async function readBudgets(
  tx: Tx,
  heads: readonly { readonly tenant: TenantId; readonly holds: readonly string[] }[],
  counters: Counters,
): Promise<ReadonlyMap<TenantId, Map<string, number>>> {
  const named = new Map<TenantId, Set<string>>()
  for (const lane of heads) {
    const ids = named.get(lane.tenant) ?? new Set()
    for (const holds of new Set(lane.holds)) for (const { budget } of holdsOf(holds)) ids.add(budget)
    if (ids.size > 0) named.set(lane.tenant, ids)
  }
  if (named.size === 0) return new Map()
  const pairs = [...named].flatMap(([tenant, ids]) => [...ids].map((id) => ({ tenant, id })))
  const result = new Map<TenantId, Map<string, number>>()
  for (const { tenant, id, remaining } of await readRemaining(tx, pairs)) {
    const own = result.get(tenant) ?? new Map<string, number>()
    own.set(id, remaining - counters.takenOf(tenant, id))
    result.set(tenant, own)
  }
  return result
}
