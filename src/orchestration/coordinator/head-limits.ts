import { placeOfLane } from './lane-contract.ts'

/**
 * How many heads of each lane to read. `room` is how many tasks of the lane could start at all. Lanes that differ only in the
 * runs they are for share the agents: a quarter more than their part of these is enough to choose from.
 */
export function headLimits(
  lanes: readonly { readonly lane: string; readonly room: number; readonly bulk?: number }[],
  batch: number,
): readonly number[] {
  // Mostly there are none, and of the others there may be thousands.
  if (lanes.every((lane) => lane.bulk === undefined)) return lanes.map(({ room }) => Math.min(room, batch))
  const families = lanes.map(({ lane }) => `${lane.slice(0, lane.indexOf('|'))}|${placeOfLane(lane)}`)
  const siblings = new Map<string, number>()
  for (const family of families) siblings.set(family, (siblings.get(family) ?? 0) + 1)
  return lanes.map(({ room }, n) => {
    const most = Math.min(room, batch)
    return Math.min(most, Math.ceil((1.25 * most) / siblings.get(families[n]!)!))
  })
}
