import type { ReadTx } from '../../foundation/platform/database/database.ts'
import type { ClaimsView } from './claims.ts'
import type { Shard } from './sql/find-lanes.ts'
import { type LaneHeads, type RemainingBudget, readHeads } from './sql/read-heads.ts'

/** A lane, and how many of its oldest tasks to read. */
export interface AskedLane extends Shard {
  readonly lane: string
  readonly limit: number
}

export interface Heads {
  readonly heads: readonly LaneHeads[]
  readonly remaining: readonly RemainingBudget[]
}

/** What was read before it was known what to ask for. */
export interface EarlyHeads extends Heads {
  readonly asked: readonly AskedLane[]
}

/** With more lanes than these it would be read in vain too often. */
const mostLanes = 20

/**
 * Remembers which lanes of a shard were looked at last. Where tasks keep coming they are the same the next time: their heads
 * are asked for together with the lanes, which saves a round trip while the shard is locked.
 */
export class HeadsAskedLast {
  readonly #lanes = new Map<string, readonly { readonly lane: string; readonly limit: number }[]>()

  /** Sends the question, behind the locks of the shards; null: none of them was looked at, or there is too much to ask. */
  read(tx: ReadTx, shards: readonly Shard[], view: ClaimsView, batch: number): Promise<EarlyHeads> | null {
    const asked: AskedLane[] = []
    for (const shard of shards) {
      const lanes = this.#lanes.get(keyOf(shard))
      if (lanes !== undefined) asked.push(...withClaimed(shard, lanes, view, batch))
    }
    if (asked.length === 0 || asked.length > mostLanes) return null
    return readHeads(tx, asked).then((found) => ({ ...found, asked }))
  }

  /** What was to be read of a shard, without what others claim. */
  keep(shard: Shard, lanes: readonly { readonly lane: string; readonly limit: number }[]): void {
    this.#lanes.set(
      keyOf(shard),
      lanes.map(({ lane, limit }) => ({ lane, limit })),
    )
  }

  forget(shard: Shard): void {
    this.#lanes.delete(keyOf(shard))
  }
}

/** Reads somewhat more where others claim tasks: nobody knows from which lanes they take. */
export function withClaimed<T extends { readonly lane: string; readonly limit: number }>(
  { tenant, pool }: Shard,
  lanes: readonly T[],
  view: ClaimsView,
  batch: number,
): readonly AskedLane[] {
  const claimed = view.sizeOf(`${tenant}/${pool}`, batch)
  // Somewhat more than an equal part is enough to go on with.
  const part = Math.min(claimed, Math.ceil((claimed * 1.25) / lanes.length))
  return lanes.map(({ lane, limit }) => ({ tenant, pool, lane, limit: limit + part }))
}

/** Of what was read early, what was to be read; null where it is less. */
export function pickHeads(early: EarlyHeads | null, asked: readonly AskedLane[]): Heads | null {
  if (early === null) return null
  const limits = new Map(early.asked.map((lane) => [`${keyOf(lane)}/${lane.lane}`, lane.limit]))
  if (!asked.every((lane) => (limits.get(`${keyOf(lane)}/${lane.lane}`) ?? 0) >= lane.limit)) return null
  const found = new Map(early.heads.map((lane) => [`${keyOf(lane)}/${lane.lane}`, lane]))
  return {
    heads: asked.flatMap((lane) => {
      const heads = found.get(`${keyOf(lane)}/${lane.lane}`)
      if (heads === undefined) return []
      const { ids, readySeqs, holds } = heads
      if (ids.length <= lane.limit) return [heads]
      const first = <T>(values: readonly T[]) => values.slice(0, lane.limit)
      return [{ ...heads, ids: first(ids), readySeqs: first(readySeqs), holds: first(holds) }]
    }),
    remaining: early.remaining,
  }
}

function keyOf({ tenant, pool }: Shard): string {
  return `${tenant}/${pool}`
}
