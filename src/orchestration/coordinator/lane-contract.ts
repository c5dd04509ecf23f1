/** What a lane asks of an agent, and how urgent its tasks are. */
export interface LaneRequirements {
  /** 1 to 10, higher first. */
  readonly priority: number
  readonly capabilities: readonly string[]
}

/** The lane's name: equal requirements give equal names, and the name says what they are. */
export function laneOf(requirements: LaneRequirements): string {
  return `${requirements.priority}|${[...new Set(requirements.capabilities)].sort().join(',')}`
}

export function parseLane(lane: string): LaneRequirements {
  const bar = lane.indexOf('|')
  const capabilities = lane.slice(bar + 1)
  return { priority: Number(lane.slice(0, bar)), capabilities: capabilities === '' ? [] : capabilities.split(',') }
}
