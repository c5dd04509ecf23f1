import type { Assignment } from '../runners/exchange-contract.ts'
import type { GrowthForecast } from './forecast-growth.ts'

/** Follows how full the context of one attempt is. */
export interface ContextMeter {
  /** Tokens in use after a turn, and how many there can be. Told as often as the agent tells it. */
  note(used: number, limit: number): GrowthForecast
  /** What was said has been summarised: from here on little is in use. */
  summarised(): void
  /** Resolves when all that was noted is kept. */
  close(): Promise<void>
}

/** The attempt that a context belongs to. */
export type MeteredLease = Pick<Assignment, 'tenant' | 'taskId' | 'fence' | 'runId' | 'step' | 'agentId'>

/** Opens a meter for an attempt. */
export type OpenContextMeter = (lease: MeteredLease) => ContextMeter
