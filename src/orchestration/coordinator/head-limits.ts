import type { LaneRoom } from './lane-room.ts'

/** A lane with what decides how much of it is read. */
export interface RoomyLane extends LaneRoom {
  readonly priority: number
}

/**
 * How many heads of each lane to read, `most` for one that has its agents for itself. Lanes of one priority that the same agents
 * serve take turns: a quarter more than their part is enough to choose from, so that a tick costs what it gives out, and not
 * what waits in a thousand lanes.
 */
export function headLimits(lanes: readonly RoomyLane[], most: number): readonly number[] {
  const siblings = new Map<string, number>()
  const families = lanes.map(({ priority, servers }) => `${priority} ${servers}`)
  for (const family of families) siblings.set(family, (siblings.get(family) ?? 0) + 1)
  return lanes.map(({ room }, n) => {
    const own = Math.min(room, most)
    return Math.min(own, Math.ceil((1.25 * own) / siblings.get(families[n]!)!))
  })
}

/**
 * Which lanes have to be read further: there is more in them than was asked for, and what was found in them, their siblings and
 * lanes of higher priority does not fill what the agents may get. Without them lower priorities would come first; where there are
 * none, half of it is enough to go on with.
 */
export function cutLanes<Read extends RoomyLane & { readonly limit: number; readonly found: number }>(
  lanes: readonly Read[],
  most: number,
): readonly Read[] {
  const cut: Read[] = []
  for (const own of Map.groupBy(lanes, ({ servers }) => servers).values()) {
    const wanted = Math.min(own[0]!.room, most)
    let found = 0
    const ranks = [...Map.groupBy(own, ({ priority }) => priority)].sort(([a], [b]) => b - a)
    for (const [rank, [, siblings]] of ranks.entries()) {
      for (const lane of siblings) found += lane.found
      if (found >= (rank < ranks.length - 1 ? wanted : wanted / 2)) break
      cut.push(...siblings.filter((lane) => lane.found >= lane.limit))
    }
  }
  return cut
}
