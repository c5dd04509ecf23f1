import { usualRequest } from '../resources/amounts-contract.ts'
import type { Decision, FreeAgent, Head, Lane, ShardToDecide, StrategyNamed, TaskAssignment } from './decide.ts'
import type { FairShares, Flow, OldestTurn, OpenShares } from './fair-shares.ts'
import { type BusyAgent, LanePlaces, type Place } from './lane-places.ts'
import { ageOf, type LaneTurn, LaneTurns } from './lane-turns.ts'
import type { Rooms } from './rooms.ts'

/** Every so many tasks the one that has been ready for longest has its turn, whatever its priority. */
export const oldestEvery = 16

type Turn = LaneTurn<Place>

interface Tools {
  readonly rooms: Rooms
  readonly shares: FairShares
  readonly strategyNamed: StrategyNamed
  /** What is left of each budget. */
  readonly remaining: Map<string, number>
}

/** The decision about one shard, task by task. */
export class ShardDecision implements Flow {
  readonly shard: ShardToDecide
  readonly key: string
  readonly weight = 1
  readonly #assignments: TaskAssignment[] = []
  readonly #refused: { taskId: string; budget: string }[] = []
  readonly #tools: Tools
  readonly #agents: readonly BusyAgent[]
  readonly #bounded: boolean
  readonly #occupied = new Map<string, Set<string>>()
  readonly #flowOf = new Map<Turn, LaneTurns<Place>>()
  readonly #flows: OpenShares<LaneTurns<Place>>
  readonly #oldest: OldestTurn
  /** Rooms kept for a task that was passed over, by key. */
  #kept: ReadonlySet<string> = new Set()
  #started = false

  constructor(shard: ShardToDecide, tools: Tools) {
    this.shard = shard
    this.key = shard.pool
    this.#tools = tools
    this.#agents = shard.agents.map((agent) => this.#copy(agent))
    this.#bounded = shard.agents.some((agent) => agent.rooms !== undefined)
    for (const [key, ids] of shard.occupied ?? []) this.#occupied.set(key, new Set(ids))
    const name = `${shard.tenant}/${shard.pool}`
    const places = new LanePlaces(this.#agents, shard, tools.strategyNamed)
    const turns = shard.lanes
      .filter((lane) => lane.heads.length > 0)
      .map((lane): Turn => ({ lane, place: places.of(lane), next: 0 }))
      .filter(({ place }) => place.tiers.length > 0)
    const flows = [...Map.groupBy(turns, ({ lane }) => lane.bulk ?? -1)]
      .sort(([, a], [, b]) => oldestOf(a) - oldestOf(b))
      .map(([bulk, own], _, all) => new LaneTurns(String(bulk), own, all.length === 1))
    for (const flow of flows) for (const turn of flow.all()) this.#flowOf.set(turn, flow)
    this.#flows = tools.shares.open(`runs ${name}`, flows)
    this.#oldest = tools.shares.oldestTurn(name)
  }

  /** Gives one task to an agent. False: there is nothing more that could be given. */
  giveOne(): boolean {
    if (this.#assignments.length >= this.shard.limit) return false
    if (!this.#started) {
      this.#started = true
      if (this.#givePassedOver()) return true
    }
    if (this.#oldest.given >= oldestEvery && this.#giveOldest()) return true
    for (;;) {
      const flow = this.#flows.next()
      if (flow === null) return false
      const turn = flow.next()
      if (turn === null) this.#flows.leave(flow)
      else if (this.#give(turn)) {
        flow.pass(turn)
        this.#oldest.given += 1
        return true
      } else flow.leave(turn)
    }
  }

  /** What was decided. Call it last. */
  close(): Decision {
    this.#flows.close()
    return { assignments: this.#assignments, refused: this.#refused }
  }

  /** A task that found no agent when its turn had come is the first to be asked the next time. */
  #givePassedOver(): boolean {
    const { passedOver } = this.#oldest
    if (passedOver === null) return false
    const turn = [...this.#flowOf.keys()].find(({ lane, next }) => lane.heads[next]?.taskId === passedOver)
    // It has gone elsewhere, or its lane has come to another task.
    if (turn === undefined) this.#oldest.passedOver = null
    else if (this.#give(turn)) {
      this.#oldest.passedOver = null
      return true
    } else this.#keepRoom(turn)
    return false
  }

  #giveOldest(): boolean {
    this.#oldest.given = 0
    const turns = [...this.#flowOf.keys()]
    if (turns.length === 0) return false
    const oldest = turns.reduce((least, turn) => (ageOf(turn) < ageOf(least) ? turn : least), turns[0]!)
    if (this.#give(oldest)) return true
    for (const turn of turns.sort((a, b) => ageOf(a) - ageOf(b))) {
      const next = turn.lane.heads[turn.next]
      if (next === undefined) break
      this.#oldest.passedOver ??= next.taskId
      if (turn !== oldest && this.#give(turn)) return true
    }
    return false
  }

  /**
   * A large task for which there is never enough room at once, because small ones keep taking what becomes free: from now
   * on nothing else is given from the agent that comes closest, until there is.
   */
  #keepRoom(turn: Turn): void {
    if (!this.#bounded || this.#kept.size > 0) return
    const request = turn.lane.resources ?? usualRequest
    const roomy = turn.place.tiers
      .flatMap((tier) => tier.agents)
      .filter(({ rooms, used, slots }) => rooms !== undefined && used < slots)
      .filter(({ rooms }) => rooms!.every((room) => this.#tools.rooms.everFits(room, request)))
      .sort((a, b) => this.#tools.rooms.fullness(a.rooms!) - this.#tools.rooms.fullness(b.rooms!))
    this.#kept = new Set(roomy[0]?.rooms?.map((room) => room.key))
  }

  #give(turn: Turn): boolean {
    const { remaining } = this.#tools
    for (;;) {
      const head = turn.lane.heads[turn.next]
      if (head === undefined) return false
      const short = head.holds.find((hold) => (remaining.get(hold.budget) ?? Infinity) < Math.max(1, hold.amount))
      if (short !== undefined) {
        this.#refused.push({ taskId: head.taskId, budget: short.budget })
        turn.next += 1
        continue
      }
      const agent = this.#pick(turn)
      if (agent === null) return false
      this.#assign(head, agent, turn.lane)
      turn.next += 1
      const flow = this.#flowOf.get(turn)
      if (flow !== undefined) this.#flows.serve(flow)
      return true
    }
  }

  #pick({ place, lane }: Turn): BusyAgent | null {
    const free = !this.#bounded && lane.apart === undefined
    for (const { agents, session } of place.tiers) {
      const agent = free
        ? session.pick(place.request)
        : place.strategy.pick(
            agents.filter((one) => this.#isOpen(one, lane)),
            place.request,
          )
      if (agent !== null) return agent
    }
    return null
  }

  #isOpen(agent: BusyAgent, lane: Lane): boolean {
    const { rooms } = agent
    if (rooms !== undefined) {
      if (rooms.some((room) => this.#kept.has(room.key))) return false
      if (!this.#tools.rooms.fits(rooms, lane.resources ?? usualRequest)) return false
    }
    return lane.apart === undefined || !this.#occupied.get(apartKey(lane.apart))?.has(apartId(agent, lane.apart))
  }

  #assign(head: Head, agent: BusyAgent, lane: Lane): void {
    const { rooms, remaining } = this.#tools
    agent.used += 1
    if (agent.rooms !== undefined) {
      rooms.take(agent.rooms, lane.resources ?? usualRequest)
      agent.load = rooms.loadOf(agent.rooms, agent.load)
    }
    if (lane.apart !== undefined) {
      const key = apartKey(lane.apart)
      const ids = this.#occupied.get(key) ?? new Set()
      this.#occupied.set(key, ids.add(apartId(agent, lane.apart)))
    }
    for (const hold of head.holds) {
      const left = remaining.get(hold.budget)
      if (left !== undefined) remaining.set(hold.budget, left - hold.amount)
    }
    this.#assignments.push({ taskId: head.taskId, agentId: agent.id, runnerId: agent.runnerId, holds: head.holds })
  }

  #copy(agent: FreeAgent): BusyAgent {
    const { rooms } = agent
    return rooms === undefined ? { ...agent } : { ...agent, load: this.#tools.rooms.loadOf(rooms, agent.load) }
  }
}

function oldestOf(turns: readonly Turn[]): number {
  return turns.reduce((least, turn) => Math.min(least, ageOf(turn)), Number.POSITIVE_INFINITY)
}

function apartKey({ scope, key }: NonNullable<Lane['apart']>): string {
  return `${scope}:${key}`
}

function apartId(agent: BusyAgent, { scope }: NonNullable<Lane['apart']>): string {
  return scope === 'runner' ? agent.runnerId : agent.id
}
