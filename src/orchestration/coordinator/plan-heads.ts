import type { ReadTx } from '../../foundation/platform/database/database.ts'
import type { ClaimsView } from './claims.ts'
import type { Planned } from './decide-all.ts'
import { cutLanes, headLimits, type RoomyLane } from './head-limits.ts'
import type { Shard } from './sql/find-lanes.ts'
import { readHeads } from './sql/read-heads.ts'

/** The heads of lanes, and what is left of the budgets they would take of. */
export type PlanHeads = Awaited<ReturnType<typeof readHeads>>

export interface PlanHeadsRequest {
  /** Most assignments of a shard, and of the whole tick. */
  readonly limit: number
  readonly batch: number
  /** What other transactions have claimed. */
  readonly view: ClaimsView
  /** Whether as many are read as a batch holds, not only as many as there are slots. */
  readonly deep: boolean
}

/**
 * The heads of the lanes. Lanes that share their agents are asked for a part each; where some turn out to be short, so that
 * the others could give more than their part, these are read again.
 */
export async function readPlanHeads(
  tx: ReadTx,
  plans: readonly Planned[],
  { limit, batch, view, deep }: PlanHeadsRequest,
): Promise<PlanHeads> {
  const asked = plans.flatMap(({ shard, lanes }) => {
    const limits = headLimits(lanes, limit)
    const deeper = deep ? Math.min(limit, Math.ceil((4 * limit) / lanes.length)) : 0
    const wanted = lanes.map((lane, n) => ({ ...lane, limit: Math.max(limits[n]!, deeper) }))
    return withClaimed(shard, wanted, view, batch)
  })
  const first = await readHeads(tx, asked)
  const found = new Map(first.heads.map((lane) => [nameOf(lane), lane.ids.length]))
  const read = asked.map((lane) => ({ ...lane, found: found.get(nameOf(lane)) ?? 0 }))
  const cut = [...Map.groupBy(read, ({ tenant, pool }) => `${tenant}/${pool}`).values()].flatMap((lanes) =>
    cutLanes(lanes, limit),
  )
  if (cut.length === 0) return first
  const more = Math.ceil((2 * (limit + batch)) / (cut.length + 1))
  const second = await readHeads(
    tx,
    cut.map((lane) => ({ ...lane, limit: lane.limit + more })),
  )
  const again = new Set(cut.map(nameOf))
  const kept = first.heads.filter((lane) => !again.has(nameOf(lane)))
  return { heads: [...kept, ...second.heads], remaining: [...first.remaining, ...second.remaining] }
}

function nameOf({ tenant, pool, lane }: Shard & { readonly lane: string }): string {
  return `${tenant}/${pool}/${lane}`
}

/** Reads somewhat more where others claim tasks: nobody knows from which lanes they take. */
function withClaimed<Wanted extends RoomyLane & { readonly lane: string; readonly limit: number }>(
  { tenant, pool }: Shard,
  lanes: readonly Wanted[],
  view: ClaimsView,
  batch: number,
): readonly (Wanted & Shard)[] {
  const claimed = view.sizeOf(`${tenant}/${pool}`, batch)
  // Somewhat more than an equal part is enough to go on with.
  const part = Math.min(claimed, Math.ceil((claimed * 1.25) / lanes.length))
  return lanes.map((lane) => ({ ...lane, tenant, pool, limit: lane.limit + part }))
}
