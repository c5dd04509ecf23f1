/** The strategies by the names that configuration, workflows and API use. */
export const strategyNames = [
  'round_robin',
  'least_connections',
  'resource_based',
  'weighted',
  'capability_based',
  'power_of_two_choices',
  'consistent_hash',
] as const
export type StrategyName = (typeof strategyNames)[number]
