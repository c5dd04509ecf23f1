import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { AgentDirectory } from './agent-directory.ts'
import { type Claim, Claims, type ClaimsView } from './claims.ts'
import { countBy } from './count-by.ts'
import type { Counters } from './counters.ts'
import type { Head } from './decide.ts'
import { decideAll, type Planned } from './decide-all.ts'
import { FairShares } from './fair-shares.ts'
import type { FleetFigures } from './fleet-figures.ts'
import { FleetTurns } from './fleet-turns.ts'
import { bindToResources } from './held-resources.ts'
import { parseLane } from './lane-contract.ts'
import { roomOfLanes } from './lane-room.ts'
import { headsOfFresh, type Looks } from './looks.ts'
import { type PlanHeads, readPlanHeads } from './plan-heads.ts'
import { PoolStrategies } from './pool-strategies.ts'
import { assignTasks, type LeasedTask } from './sql/assign-tasks.ts'
import { mostTasks } from './sql/chunks-of.ts'
import { findLanes, type Shard, type ShardLanes } from './sql/find-lanes.ts'
import { holdTasks } from './sql/hold-tasks.ts'
import { lockShards } from './sql/lock-shards.ts'
import type { RemainingBudget } from './sql/read-heads.ts'
import { uniqueShards } from './task-queue.ts'

export interface TickOptions {
  /** Most assignments of one tick over all its shards. */
  readonly batch: number
  /** Added to a task's timeout for the backstop of its lease, ms. */
  readonly graceMs: number
  readonly maxAgents: number
  /** What strategies may know of agents and their machines. Default: nothing. */
  readonly figures?: FleetFigures
  /** Of tenants, where they share something. Default: all are alike. */
  readonly weightOf?: (tenant: string) => number
  /** What transactions have asked ahead; the queue tells it what they make ready. Default: nothing is asked ahead. */
  readonly looks?: Looks
}

export const tickDefaults: TickOptions = { batch: 500, graceMs: 30_000, maxAgents: 2_000 }

export interface TickResult {
  /** The leases are on their way when the tick returns: the caller's next statements may travel behind them. */
  readonly leased: Promise<readonly LeasedTask[]>
  /** The tasks of those leases: all of them where `allOrNone` was asked for, else some may have been taken meanwhile. */
  readonly decided: readonly Taking[]
  /** Shards that others were ticking: they may have missed what this transaction made ready. See `SecondLooks`. */
  readonly taken: readonly Shard[]
}

export interface TickRequest {
  /** Where work may be ready: a shard that had nothing to give the last time is looked at before it is locked. */
  readonly asked: readonly Shard[]
  /** Where there is reason to expect it. */
  readonly woken: readonly Shard[]
  readonly now: Date
  /** Whose agents come first. Null: nobody's. */
  readonly forRunner: string | null
  readonly counters: Counters
  /** Whether the transaction is lost where somebody else was faster. */
  readonly allOrNone: boolean
}

interface Round {
  readonly now: Date
  readonly forRunner: string | null
  readonly counters: Counters
  readonly allOrNone: boolean
  readonly claim: Claim
  readonly view: ClaimsView
  readonly deep: boolean
  /** The heads of the lanes, where there is no need to read them. */
  readonly known: PlanHeads | null
}

/** Matches ready tasks with free slots, shard by shard, in the caller's transaction. Keeps only what can be derived again. */
export class Ticker {
  readonly #options: TickOptions
  readonly #directory = new AgentDirectory()
  readonly #strategies: PoolStrategies
  readonly #agentsFrom = new Map<string, string>()
  readonly #claims = new Claims()
  /** Shards that had nothing ready the last time. */
  readonly #idle = new Set<string>()
  readonly #shares = new FairShares()
  readonly #turns = new FleetTurns()

  constructor(options: Partial<TickOptions> = {}) {
    const given = { ...tickDefaults, ...options }
    this.#options = { ...given, batch: Math.min(given.batch, mostTasks) }
    this.#strategies = new PoolStrategies(given.figures)
  }

  /**
   * Asks ahead about shards in which the transaction is going to make work ready, under budgets that `remaining` tells. A
   * transaction that is tried again does not: what it relied on did not hold.
   */
  look(tx: Tx, shards: readonly Shard[], remaining: Promise<readonly RemainingBudget[]>): void {
    // Whoever takes the look hears of a failure; where an earlier statement fails first, nobody does.
    remaining.catch(() => undefined)
    if (this.#options.looks === undefined || tx.again || shards.length === 0) return
    const claim = this.#claims.of(tx)
    const view = this.#claims.view(claim)
    tx.afterEnd(view.close)
    // The lock travels first: what is read has to be younger.
    const free = this.#lock(tx, shards, claim)
    const answer = Promise.all([free, this.#findLanes(tx, shards, [], true)])
    answer.catch(() => undefined)
    this.#options.looks.keep(tx, { shards, answer, view, remaining })
  }

  /**
   * Slots and budgets that it takes are added to `counters`, and the caller writes them last. What turns out not to be
   * leased, because somebody was faster, is taken off again when `leased` resolves; with `allOrNone` the transaction is lost.
   */
  async tick(tx: Tx, { asked, woken, now, forRunner, counters, allOrNone }: TickRequest): Promise<TickResult> {
    const straight = await this.#tickFresh(tx, { asked, woken, now, forRunner, counters, allOrNone })
    if (straight !== null) return straight
    const leases: Promise<readonly LeasedTask[]>[] = []
    const decided: Taking[] = []
    const wanted = await this.#awake(tx, asked, woken, counters)
    let shards = wanted
    const all = () => {
      const free = new Set(shards.map(keyOf))
      const taken = wanted.filter((shard) => !free.has(keyOf(shard)))
      return { leased: Promise.all(leases).then((parts) => parts.flat()), decided, taken }
    }
    if (shards.length === 0) return all()
    const claim = this.#claims.of(tx)
    // Tasks that a budget refuses leave their lane; what is behind them gets its chance in the same tick.
    for (let round = 0; round < mostRounds; round++) {
      const view = this.#claims.view(claim)
      const lanes = () => this.#findLanes(tx, shards, counters.freedAgents)
      // What is read travels behind the lock, without waiting for it: it is younger than it all the same.
      const [free, found] = await Promise.all([round === 0 ? this.#lock(tx, shards, claim) : shards, lanes()]).catch(
        (error) => {
          view.close()
          throw error
        },
      )
      shards = free
      const known = new Set(free.map(keyOf))
      for (const shard of free) this.#idle.add(keyOf(shard))
      for (const shard of found) this.#idle.delete(keyOf(shard))
      const result = await this.#round(
        tx,
        found.filter((shard) => known.has(keyOf(shard))),
        { now, forRunner, counters, allOrNone, claim, view, deep: round > 0, known: null },
      ).finally(view.close)
      leases.push(result.leased)
      decided.push(...result.decided)
      if (result.refused === 0) break
    }
    return all()
  }

  /** Leaves out where nothing is to be done, so that whoever only looks keeps nobody from a shard. */
  async #awake(
    tx: Tx,
    asked: readonly Shard[],
    woken: readonly Shard[],
    counters: Counters,
  ): Promise<readonly Shard[]> {
    const sure = new Set(woken.map(keyOf))
    const idle = uniqueShards(asked).filter((shard) => this.#idle.has(keyOf(shard)) && !sure.has(keyOf(shard)))
    const found = idle.length === 0 ? [] : await this.#findLanes(tx, idle, counters.freedAgents)
    const stirring = new Set(found.map(keyOf))
    const still = new Set(idle.map(keyOf).filter((key) => !stirring.has(key)))
    return uniqueShards([...asked, ...woken]).filter((shard) => !still.has(keyOf(shard)))
  }

  /**
   * A tick that asks nothing more: what this transaction has made ready is all there is in shards that were asked about ahead,
   * where nothing else waits. Null: it is not so.
   */
  async #tickFresh(tx: Tx, request: TickRequest): Promise<TickResult | null> {
    const look = this.#options.looks?.take(tx) ?? null
    if (look === null) return null
    const [[free, found], remaining] = await Promise.all([look.answer, look.remaining])
    const wanted = new Set([...request.asked, ...request.woken].map(keyOf))
    const shards = found.filter((shard) => wanted.has(keyOf(shard)))
    const held = new Set(free.map(keyOf))
    const isAll = shards.length === wanted.size && [...wanted].every((key) => held.has(key))
    const fresh = look.fresh.filter((task) => wanted.has(keyOf(task)))
    if (!isAll || fresh.length > this.#options.batch || shards.some(({ lanes }) => lanes.length > 0)) return null
    const lanesOf = Map.groupBy(fresh, keyOf)
    const { leased, decided } = await this.#round(
      tx,
      shards.map((shard) => ({ ...shard, lanes: [...new Set(lanesOf.get(keyOf(shard))?.map(({ lane }) => lane))] })),
      {
        ...request,
        claim: this.#claims.of(tx),
        view: look.view,
        deep: false,
        known: { heads: headsOfFresh(fresh), remaining },
      },
    ).finally(look.view.close)
    for (const key of wanted) this.#idle[decided.length < fresh.length ? 'delete' : 'add'](key)
    return { leased, decided, taken: [] }
  }

  #findLanes(
    tx: Tx,
    shards: readonly Shard[],
    freed: readonly string[],
    evenIdle = false,
  ): Promise<readonly ShardLanes[]> {
    const from = shards.map((shard) => this.#agentsFrom.get(keyOf(shard)) ?? '')
    return findLanes(tx, shards, from, this.#options.maxAgents, freed, evenIdle)
  }

  /** The shards that no other process is ticking, and not too many transactions of this one. */
  async #lock(tx: Tx, shards: readonly Shard[], claim: Claim): Promise<readonly Shard[]> {
    const locked = new Set((await lockShards(tx, shards)).map(keyOf))
    const free = shards.filter((shard) => {
      const beside = this.#claims.beside(claim, keyOf(shard))
      return locked.has(keyOf(shard)) || (beside > 0 && beside < mostBeside)
    })
    for (const shard of free) claim.shards.add(keyOf(shard))
    return free
  }

  /** One decision. `deep` reads as many heads as a batch holds, not only as many as there are slots. */
  async #round(
    tx: Tx,
    found: readonly ShardLanes[],
    { now, forRunner, counters, allOrNone, claim, view, deep, known }: Round,
  ): Promise<Pick<TickResult, 'leased' | 'decided'> & { readonly refused: number }> {
    const plans: Planned[] = []
    for (const shard of found) {
      const plan = shard.agents.length === 0 ? null : await this.#plan(tx, shard, counters)
      if (plan !== null && plan.lanes.length > 0) plans.push(plan)
      if (plan !== null) this.#rotate(shard)
    }
    if (plans.length === 0) return { ...nothing, refused: 0 }

    const limit = Math.max(1, Math.floor(this.#options.batch / plans.length))
    const { heads, remaining } =
      known ?? (await readPlanHeads(tx, plans, { limit, batch: this.#options.batch, view, deep }))
    const bound = await bindToResources(
      tx,
      plans.map(({ shard: { tenant, pool }, lanes, agents }) => ({ tenant, pool, lanes, agents })),
    )
    const going = this.#strategies.goingRound(plans)
    await this.#turns.follow(tx, going)
    const { assignments, refused } = decideAll({
      ...{ heads, remaining, counters, claim, view, shares: this.#shares },
      plans: plans.map((plan, n) => ({ ...plan, ...bound[n]! })),
      limit,
      strategyOf: (shard) => this.#strategies.of(shard, shard.strategy),
      strategyNamed: (name, shard) => this.#strategies.of(shard, name),
      ...(this.#options.weightOf === undefined ? {} : { weightOf: this.#options.weightOf }),
    })
    this.#turns.tell(tx, going)
    await holdTasks(tx, refused, now)
    if (assignments.length === 0) return { ...nothing, refused: refused.length }
    count(assignments, counters, 1)
    const leased = assignTasks(tx, assignments, now, this.#options.graceMs, forRunner, allOrNone).then((given) => {
      if (given.length < assignments.length) count(without(assignments, given), counters, -1)
      return given
    })
    // Whoever waits for it hears of a failure; where a later statement fails first, nobody does.
    leased.catch(() => undefined)
    return { leased, decided: assignments, refused: refused.length }
  }

  async #plan(tx: Tx, shard: ShardLanes, counters: Counters): Promise<Planned> {
    const rows = shard.agents.map(([id, runnerId, slots, used, weight, rev]) => ({
      id,
      runnerId,
      slots,
      used,
      weight,
      rev,
    }))
    const profile = await this.#directory.profiles(tx, shard.tenant, rows)
    const agents = rows.map((row) => {
      const load = this.#options.figures?.loadOf(row.runnerId)
      return { ...row, ...profile(row.id), ...(load === undefined ? {} : { load }) }
    })
    const wanted = shard.lanes.map((lane) => ({ ...parseLane(lane), lane }))
    const rooms = roomOfLanes(agents, wanted, ({ id, slots, used }) => slots - used - counters.usedOf(shard.tenant, id))
    const lanes = wanted.map((lane, n) => ({ ...lane, ...rooms[n]! })).filter(({ room }) => room > 0)
    return { shard, lanes, agents }
  }

  #rotate(shard: ShardLanes): void {
    const full = shard.agents.length >= this.#options.maxAgents
    if (full) this.#agentsFrom.set(keyOf(shard), shard.agents.at(-1)![0])
    else this.#agentsFrom.delete(keyOf(shard))
  }
}

/** How many transactions of one process tick a shard at a time. */
const mostBeside = 2

/** How often one tick looks behind what budgets refused. */
const mostRounds = 4

function keyOf(shard: Shard): string {
  return `${shard.tenant}/${shard.pool}`
}

const nothing: Pick<TickResult, 'leased' | 'decided'> = { leased: Promise.resolve([]), decided: [] }

/** A task and who is to do it. */
export interface Taking {
  readonly tenant: TenantId
  readonly taskId: string
  readonly agentId: string
  readonly runnerId: string
  readonly holds: Head['holds']
}

function without(decided: readonly Taking[], given: readonly LeasedTask[]): readonly Taking[] {
  const known = new Set<string>(given.map((task) => task.taskId))
  return decided.filter((task) => !known.has(task.taskId))
}

/** Adds what leases take, `times` 1 or -1: a slot each, and what they hold. */
function count(taken: readonly Taking[], counters: Counters, times: 1 | -1): void {
  for (const [tenant, own] of Map.groupBy(taken, (task) => task.tenant)) {
    for (const [agentId, tasks] of countBy(own, (task) => task.agentId)) {
      counters.agent({ tenant, agentId: agentId as AgentId, used: times * tasks })
    }
    for (const [holds, tasks] of countBy(own, (task) => task.holds)) {
      for (const { budget, amount } of holds) {
        counters.budget({ tenant, budget, held: times * tasks * amount, spent: 0 })
      }
    }
  }
}
