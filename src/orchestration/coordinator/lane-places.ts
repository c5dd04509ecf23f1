import {
  type Candidate,
  openSession,
  type PickRequest,
  type PickSession,
  type Strategy,
} from '../../foundation/balancing/candidate.ts'
import { capabilityLevels } from '../../foundation/balancing/capabilities-contract.ts'
import type { FreeAgent, Lane, ShardToDecide, StrategyNamed } from './decide.ts'
import { mayServe, preferenceOf } from './placement.ts'

/** An agent during one decision. */
export type BusyAgent = FreeAgent & { used: number; load?: Candidate['load'] }

/** Agents alike in what a lane would rather have. */
export interface Tier {
  readonly agents: readonly BusyAgent[]
  readonly session: PickSession<BusyAgent>
}

/** Where the tasks of a lane may go, and how to choose. */
export interface Place {
  readonly strategy: Strategy
  /** Whom the lane would rather have first. */
  readonly tiers: readonly Tier[]
  readonly request: PickRequest
}

/** Finds the agents for lanes. Lanes that ask for the same are looked up once. */
export class LanePlaces {
  readonly #agents: readonly BusyAgent[]
  readonly #shard: ShardToDecide
  readonly #strategyNamed: StrategyNamed
  /** Agents that registered alike share their set of capabilities, so that it stands for all that they are. */
  readonly #kinds: readonly (readonly BusyAgent[])[]
  readonly #places = new Map<string, Place>()
  readonly #tiers = new Map<string, readonly Tier[]>()

  constructor(agents: readonly BusyAgent[], shard: ShardToDecide, strategyNamed: StrategyNamed) {
    this.#agents = agents
    this.#shard = shard
    this.#strategyNamed = strategyNamed
    this.#kinds = [...Map.groupBy(agents, (agent) => agent.capabilities).values()]
  }

  of(lane: Lane): Place {
    const key = placeKey(lane)
    let place = this.#places.get(key)
    if (place === undefined) {
      place = this.#placeOf(lane)
      this.#places.set(key, place)
    }
    return place
  }

  #placeOf(lane: Lane): Place {
    const strategy =
      lane.strategy === undefined ? this.#shard.strategy : this.#strategyNamed(lane.strategy, this.#shard)
    const fitting = this.#kinds.map((kind) => mayServe(kind[0]!, lane))
    // Lanes that come down to the same agents share what is kept of them, too.
    const key = `${fitting.map(Number).join('')} ${lane.strategy ?? ''}`
    const wishes = lane.preferredLabels !== undefined || lane.preferredCapabilities !== undefined
    let tiers = wishes ? undefined : this.#tiers.get(key)
    if (tiers === undefined) {
      const able = fitting.every(Boolean) ? this.#agents : this.#kinds.filter((_, n) => fitting[n]).flat()
      const groups = wishes ? byPreference(able, lane) : [able]
      tiers = groups
        .filter((own) => own.length > 0)
        .map((own) => ({ agents: own, session: openSession(strategy, own) }))
      if (!wishes) this.#tiers.set(key, tiers)
    }
    return { strategy, tiers, request: requestOf(lane) }
  }
}

function byPreference(agents: readonly BusyAgent[], lane: Lane): readonly (readonly BusyAgent[])[] {
  const groups = [...Map.groupBy(agents, (agent) => preferenceOf(agent, lane))]
  return groups.sort(([a], [b]) => b - a).map(([, own]) => own)
}

function requestOf(lane: Lane): PickRequest {
  return {
    ...(lane.capabilities.length === 0 ? {} : { required: capabilityLevels(lane.capabilities) }),
    ...(lane.preferredCapabilities === undefined ? {} : { preferred: capabilityLevels(lane.preferredCapabilities) }),
    ...(lane.affinity === undefined ? {} : { key: lane.affinity }),
  }
}

/** Equal for lanes that ask for the same of an agent and choose among agents in the same way. */
function placeKey(lane: Lane): string {
  const { labels, preferredLabels, avoidedLabels, preferredCapabilities, region, tolerations, strategy, affinity } =
    lane
  const rare = [labels, preferredLabels, avoidedLabels, preferredCapabilities, region, tolerations, strategy, affinity]
  const plain = lane.capabilities.join(',')
  return rare.every((field) => field === undefined) ? plain : `${plain}|${JSON.stringify(rare)}`
}
