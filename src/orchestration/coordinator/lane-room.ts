import type { FreeAgent } from './decide.ts'
import type { LaneRequirements } from './lane-contract.ts'
import { mayServe } from './placement.ts'

/** How many slots are free for each lane, on all agents that may serve it. Agents that registered alike are looked at once. */
export function roomOfLanes(
  agents: readonly FreeAgent[],
  lanes: readonly LaneRequirements[],
  freeSlots: (agent: FreeAgent) => number,
): readonly number[] {
  const kinds = [...Map.groupBy(agents, (agent) => agent.capabilities).values()].map((alike) => ({
    agent: alike[0]!,
    room: alike.reduce((sum, agent) => sum + freeSlots(agent), 0),
  }))
  return lanes.map((lane) => kinds.reduce((sum, { agent, room }) => (mayServe(agent, lane) ? sum + room : sum), 0))
}
