import { capabilityLevels, expandCapabilities } from '../../foundation/balancing/capabilities-contract.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { readAmounts, type SomeResources } from '../resources/amounts-contract.ts'

/** What a registration says of an agent that bears on where work goes. Agents alike share one profile. */
export interface AgentProfile {
  /** All that it can be asked for, lower levels included. */
  readonly capabilities: ReadonlySet<string>
  readonly levels: ReadonlyMap<string, number>
  readonly labels: Readonly<Record<string, string>>
  readonly region: string | null
  /** It takes only work that puts up with all of these. */
  readonly taints: readonly string[]
  /** What it may hand out; absent dimensions have no bounds. Null: slots alone bind it. */
  readonly capacity: SomeResources | null
  /** What all agents of its runner may hand out together. */
  readonly runnerCapacity: SomeResources | null
}

/**
 * Registrations carry labels as JSON; these names in it are not labels of the user but say what the agent is: `region`
 * (text, a label as well), `taints` (list), `resources` and `runner-resources` (`cpu` in cores, `memory` and `disk` in
 * bytes, `network` in bytes a second), `enforcement` (how far budgets of money bind it).
 */
export const reservedLabels = ['taints', 'resources', 'runner-resources', 'enforcement'] as const

export function profileOf(capabilities: readonly string[], labels: JsonObject): AgentProfile {
  const plain = Object.entries(labels).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && !isReserved(entry[0]),
  )
  const { region, taints } = labels
  return {
    capabilities: expandCapabilities(capabilities),
    levels: capabilityLevels(capabilities),
    labels: Object.fromEntries(plain),
    region: typeof region === 'string' ? region : null,
    taints: Array.isArray(taints) ? taints.filter((taint) => typeof taint === 'string') : [],
    capacity: readAmounts(labels.resources),
    runnerCapacity: readAmounts(labels['runner-resources']),
  }
}

/** The labels of a registration: those of the user, and what else is to be known of the agent. */
export function registrationLabels(
  agent: {
    readonly labels: Readonly<Record<string, string>>
    readonly region: string | null
    readonly taints: readonly string[]
    readonly resources: SomeResources | null
  },
  runnerResources: SomeResources | null,
  enforcement?: string,
): JsonObject {
  return {
    ...agent.labels,
    ...(agent.region === null ? {} : { region: agent.region }),
    ...(agent.taints.length === 0 ? {} : { taints: agent.taints }),
    ...(agent.resources === null ? {} : { resources: { ...agent.resources } }),
    ...(runnerResources === null ? {} : { 'runner-resources': { ...runnerResources } }),
    ...(enforcement === undefined ? {} : { enforcement }),
  }
}

function isReserved(name: string): boolean {
  return (reservedLabels as readonly string[]).includes(name)
}
