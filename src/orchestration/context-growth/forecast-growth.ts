import { type ContextLevel, checkpointShare, warnShare } from './context-growth-contract.ts'

export interface GrowthForecast {
  /** Tokens in use after the last turn; 0 before the first. */
  readonly used: number
  /** Of the limit. */
  readonly share: number
  /** The 75th percentile of what turns have added, those of former attempts where this one has few; null: not known. */
  readonly growth: number | null
  /** Turns of that size until `checkpointShare` is reached: 0 when it is, null where growth is unknown or none. */
  readonly turnsLeft: number | null
  readonly level: ContextLevel
}

/**
 * Forecasts how the context of an agent grows, from the tokens in use after each turn so far. A turn after which less is
 * in use than before (the agent has summarised) adds nothing to what is known of growth. `checkpoint` is due at
 * `checkpointShare` of the limit, or when a turn as large as three of four would reach the limit itself. `expected` is what
 * former attempts let expect of a turn: it stands in for the turns that are missing to `enoughTurns`.
 */
export function forecastGrowth(
  samples: readonly number[],
  limit: number,
  expected: number | null = null,
): GrowthForecast {
  const used = samples.at(-1) ?? 0
  const share = used / limit
  const steps = samples.slice(1).map((sample, n) => sample - samples[n]!)
  const grown = steps.filter((step) => step >= 0)
  const missing = expected === null ? 0 : Math.max(0, enoughTurns - grown.length)
  const growth = percentile([...grown, ...Array<number>(missing).fill(expected ?? 0)], 0.75)
  const left = checkpointShare * limit - used
  const turnsLeft = left <= 0 ? 0 : growth === null || growth === 0 ? null : Math.ceil(left / growth)
  const due = share >= checkpointShare || (growth !== null && used > 0 && used + growth >= limit)
  return { used, share, growth, turnsLeft, level: due ? 'checkpoint' : share >= warnShare ? 'warn' : 'ok' }
}

/** From so many turns on what an attempt does itself is all that counts. */
const enoughTurns = 4

/** By the nearest rank: the smallest value that at least this share of all do not exceed; null of none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
}
