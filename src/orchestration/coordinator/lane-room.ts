import type { FreeAgent } from './decide.ts'
import type { LaneRequirements } from './lane-contract.ts'
import { mayServe } from './placement.ts'

export interface LaneRoom {
  /** Slots that are free on all agents that may serve the lane. */
  readonly room: number
  /** Equal for lanes that the same agents may serve. */
  readonly servers: string
}

/** What is free for each lane. Agents that registered alike are looked at once. */
export function roomOfLanes(
  agents: readonly FreeAgent[],
  lanes: readonly LaneRequirements[],
  freeSlots: (agent: FreeAgent) => number,
): readonly LaneRoom[] {
  const kinds = [...Map.groupBy(agents, (agent) => agent.capabilities).values()].map((alike) => ({
    agent: alike[0]!,
    room: alike.reduce((sum, agent) => sum + freeSlots(agent), 0),
  }))
  return lanes.map((lane) => {
    let [room, servers] = [0, '']
    for (const kind of kinds) {
      const fits = mayServe(kind.agent, lane)
      if (fits) room += kind.room
      servers += fits ? '1' : '0'
    }
    return { room, servers }
  })
}
