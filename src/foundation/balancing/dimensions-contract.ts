/** The resources that are counted, in the order in which they are shown. */
export const dimensions = ['cpu', 'memory', 'disk', 'network'] as const
export type Dimension = (typeof dimensions)[number]

/** How much each resource counts where one number has to stand for all. They add up to 1. */
export const dimensionWeights: Readonly<Record<Dimension, number>> = Object.freeze({
  cpu: 0.4,
  memory: 0.3,
  disk: 0.2,
  network: 0.1,
})
