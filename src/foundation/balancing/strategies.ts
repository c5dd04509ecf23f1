import type { Strategy, StrategyOptions } from './candidate.ts'
import { capabilityBased } from './capability-based.ts'
import { consistentHash } from './consistent-hash.ts'
import { leastConnections } from './least-connections.ts'
import { powerOfTwoChoices } from './power-of-two-choices.ts'
import { resourceBased } from './resource-based.ts'
import { roundRobin } from './round-robin.ts'
import type { StrategyName } from './strategy-names-contract.ts'
import { weighted } from './weighted.ts'

export { type StrategyName, strategyNames } from './strategy-names-contract.ts'

/** The strategies by their names. */
export const strategies: Readonly<Record<StrategyName, (options?: StrategyOptions) => Strategy>> = Object.freeze({
  round_robin: () => roundRobin(),
  least_connections: leastConnections,
  resource_based: resourceBased,
  weighted,
  capability_based: capabilityBased,
  power_of_two_choices: powerOfTwoChoices,
  consistent_hash: () => consistentHash(),
})
