import { placeOfLane } from './lane-contract.ts'

/**
 * How many heads of each lane to read. `room` is how many tasks of the lane could start at all. Lanes that differ only in the
 * runs they are for share the agents: twice their part of these is enough to choose from, and the next tick sees the rest.
 */
export function headLimits(
  lanes: readonly { readonly lane: string; readonly room: number }[],
  batch: number,
): readonly number[] {
  const siblings = new Map<string, number>()
  const familyOf = (lane: string) => `${lane.slice(0, lane.indexOf('|'))}|${placeOfLane(lane)}`
  for (const { lane } of lanes) siblings.set(familyOf(lane), (siblings.get(familyOf(lane)) ?? 0) + 1)
  return lanes.map(({ lane, room }) => {
    const most = Math.min(room, batch)
    return Math.min(most, Math.ceil((2 * most) / siblings.get(familyOf(lane))!))
  })
}
