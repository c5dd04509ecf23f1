import type { AgentProfile } from './agent-profile.ts'
import type { LaneRequirements } from './lane-contract.ts'

type Wanted = Omit<LaneRequirements, 'priority'>
type Known = Pick<AgentProfile, 'capabilities'> & Partial<AgentProfile>

export function canServe(
  agent: { readonly capabilities: ReadonlySet<string> },
  capabilities: readonly string[],
): boolean {
  return capabilities.every((capability) => agent.capabilities.has(capability))
}

/** Whether work of a lane may go to an agent at all, whatever both are busy with. */
export function mayServe(agent: Known, lane: Wanted): boolean {
  if (!canServe(agent, lane.capabilities)) return false
  return unfitFor(agent, lane) === null
}

/** What else than its capabilities keeps an agent from work of this lane, in words; null: nothing. */
export function unfitFor(agent: Known, lane: Wanted): string | null {
  const { labels = none, region = null, taints = [] } = agent
  if (taints.length > 0) {
    const taint = taints.find((one) => !lane.tolerations?.includes(one))
    if (taint !== undefined) return `is free of the taint ${taint}`
  }
  if (lane.region !== undefined && lane.region !== region) return `is in the region ${lane.region}`
  for (const [name, value] of entries(lane.labels)) if (labels[name] !== value) return `has the label ${name}: ${value}`
  for (const [name, value] of entries(lane.avoidedLabels))
    if (labels[name] === value) return `is without the label ${name}: ${value}`
  return null
}

/** How much of what a lane would rather have an agent offers. */
export function preferenceOf(agent: Known, lane: Wanted): number {
  const { labels = none } = agent
  let score = 0
  for (const capability of lane.preferredCapabilities ?? []) if (agent.capabilities.has(capability)) score += 1
  for (const [name, value] of entries(lane.preferredLabels)) if (labels[name] === value) score += 1
  return score
}

const none: Readonly<Record<string, string>> = Object.freeze({})

function entries(labels: Readonly<Record<string, string>> | undefined): [string, string][] {
  return labels === undefined ? [] : Object.entries(labels)
}
