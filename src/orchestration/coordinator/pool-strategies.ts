import type { Strategy } from '../../foundation/balancing/candidate.ts'
import { type StrategyName, strategies } from '../../foundation/balancing/strategies.ts'
import type { Planned } from './decide-all.ts'
import type { FleetFigures } from './fleet-figures.ts'
import type { Going } from './fleet-turns.ts'
import type { Shard } from './sql/find-lanes.ts'

type Named = Readonly<Record<keyof Shard, string>>

/** The strategies by which agents are chosen, one of a name for each pool: they remember their picks. */
export class PoolStrategies {
  readonly #figures: FleetFigures | undefined
  readonly #strategies = new Map<string, Strategy>()

  /** @param figures what strategies may know of agents and their machines. Default: nothing */
  constructor(figures?: FleetFigures) {
    this.#figures = figures
  }

  /** That of a name; `least_connections` where there is none, or a newer version's. */
  of({ tenant, pool }: Named, name: string | null): Strategy {
    const known = name !== null && Object.hasOwn(strategies, name) ? (name as StrategyName) : 'least_connections'
    const key = `${tenant}/${pool}/${known}`
    let strategy = this.#strategies.get(key)
    if (strategy === undefined) {
      strategy = strategies[known](this.#figures === undefined ? {} : { latency: this.#figures.latency })
      this.#strategies.set(key, strategy)
    }
    return strategy
  }

  /** Those of these lanes whose turns all servers share. */
  goingRound(plans: readonly Planned[]): readonly Going[] {
    const all = new Map<Strategy, Going>()
    for (const { shard, lanes } of plans) {
      for (const name of new Set(lanes.map((lane) => lane.strategy ?? shard.strategy))) {
        const strategy = this.of(shard, name)
        const { tenant, pool } = shard
        if (strategy.turn !== undefined) all.set(strategy, { tenant, pool, strategy: name!, turn: strategy.turn })
      }
    }
    return [...all.values()]
  }
}
