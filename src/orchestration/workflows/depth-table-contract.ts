import type { Depth } from './workflow-contract.ts'

/** What a depth means for an agent's task, where step and workflow do not say otherwise. */
export interface DepthSettings {
  readonly timeout: string
  readonly budget: { readonly usd: number; readonly tokens: number }
  /** The value of the label `depth`, which agents may use. */
  readonly label: Depth
  /** How many tiers of models above what its persona usually gets. */
  readonly raise: number
  /** The personas that review what was made. */
  readonly reviewers: readonly string[]
}

export const depthTable: Readonly<Record<Depth, DepthSettings>> = Object.freeze({
  standard: {
    timeout: '10m',
    budget: { usd: 1, tokens: 250_000 },
    label: 'standard',
    raise: 0,
    reviewers: ['reviewer'],
  },
  deep: {
    timeout: '30m',
    budget: { usd: 5, tokens: 1_250_000 },
    label: 'deep',
    raise: 1,
    reviewers: ['reviewer', 'validator'],
  },
  ultrathink: {
    timeout: '2h',
    budget: { usd: 20, tokens: 5_000_000 },
    label: 'ultrathink',
    raise: 2,
    reviewers: ['reviewer', 'validator', 'security'],
  },
})
