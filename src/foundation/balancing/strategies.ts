import type { Strategy } from './candidate.ts'
import { leastConnections } from './least-connections.ts'
import { roundRobin } from './round-robin.ts'

/** The strategies by the names that configuration and API use. */
export const strategies = {
  round_robin: () => roundRobin(),
  least_connections: () => leastConnections(),
} as const satisfies Record<string, () => Strategy>

export type StrategyName = keyof typeof strategies
export const strategyNames = Object.keys(strategies) as StrategyName[]
