import type { Lane } from './decide.ts'
import type { Flow } from './fair-shares.ts'

/** A lane during one decision. */
export interface LaneTurn<Place> {
  readonly lane: Lane
  readonly place: Place
  /** Index of the head that comes next. */
  next: number
}

/** Lanes that share one turn among the runs: by priority, and lanes of one priority in turn, the one with the oldest task first. */
export class LaneTurns<Place> implements Flow {
  readonly key: string
  readonly weight: number
  readonly #ranks: { readonly lanes: LaneTurn<Place>[]; at: number }[]

  constructor(key: string, lanes: readonly LaneTurn<Place>[], alone: boolean) {
    this.key = key
    this.weight = alone ? 1 : weightOfRuns(lanes)
    this.#ranks = [...Map.groupBy(lanes, ({ lane }) => lane.priority)]
      .sort(([a], [b]) => b - a)
      .map(([, own]) => ({ lanes: own.sort((a, b) => ageOf(a) - ageOf(b)), at: 0 }))
  }

  all(): readonly LaneTurn<Place>[] {
    return this.#ranks.flatMap((rank) => rank.lanes)
  }

  /** Whose turn it is; null: no lane is left. */
  next(): LaneTurn<Place> | null {
    const rank = this.#ranks[0]
    return rank === undefined ? null : rank.lanes[rank.at]!
  }

  /** The lane had its turn. */
  pass(turn: LaneTurn<Place>): void {
    const rank = this.#ranks[0]
    if (rank === undefined || rank.lanes[rank.at] !== turn) return
    rank.at = (rank.at + 1) % rank.lanes.length
  }

  /** The lane is empty, or nobody is free who could take its next task. */
  leave(turn: LaneTurn<Place>): void {
    const index = this.#ranks.findIndex((rank) => rank.lanes.includes(turn))
    const rank = this.#ranks[index]
    if (rank === undefined) return
    const at = rank.lanes.indexOf(turn)
    rank.lanes.splice(at, 1)
    if (at < rank.at) rank.at -= 1
    if (rank.lanes.length === 0) this.#ranks.splice(index, 1)
    else if (rank.at >= rank.lanes.length) rank.at = 0
  }
}

/** Every run counts by its priority: two steps of it, twice as much. */
function weightOfRuns(lanes: readonly LaneTurn<unknown>[]): number {
  const priorities = new Map<string, number>()
  for (const { lane } of lanes) {
    let run: string | null = null
    for (const { taskId } of lane.heads) {
      // Tasks of a run became ready together, for the most part.
      if (run !== null && taskId.startsWith(run)) continue
      run = taskId.slice(0, taskId.indexOf('.') + 1)
      priorities.set(run, Math.max(lane.priority, priorities.get(run) ?? 0))
    }
  }
  let weight = 0
  for (const priority of priorities.values()) weight += 2 ** ((priority - 5) / 2)
  return weight
}

/** When the next task of a lane became ready, as a number that only orders. */
export function ageOf({ lane, next }: LaneTurn<unknown>): number {
  return lane.heads[next]?.readySeq ?? Number.POSITIVE_INFINITY
}
