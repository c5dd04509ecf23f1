import type { ContextLevel } from './context-growth-contract.ts'
import type { ContextMeter } from './context-meter.ts'
import { forecastGrowth, type GrowthForecast } from './forecast-growth.ts'

/** What is known of a context at a moment. */
export interface GrowthState extends GrowthForecast {
  readonly limit: number
  readonly turns: number
  readonly summaries: number
}

/** What happened to it that people may want to know: it passed a threshold, or was summarised. */
export type GrowthChange = 'warned' | 'checkpoint-due' | 'summarised'

export interface GrowthMeterOptions {
  /** Told of every note; `change` where there was one. */
  readonly onState: (state: GrowthState, change: GrowthChange | null) => void
  readonly onClose: () => Promise<void>
  /** What former attempts let expect of a turn, tokens; null while nobody knows. Default: nobody does. */
  readonly expected?: () => number | null
}

/** Turns that the forecast looks back. */
const mostSamples = 64
const changes: Readonly<Record<ContextLevel, GrowthChange | null>> = {
  ...{ ok: null, warn: 'warned', checkpoint: 'checkpoint-due' },
}
const rank: Readonly<Record<ContextLevel, number>> = { ok: 0, warn: 1, checkpoint: 2 }

/** Follows one context from turn to turn. */
export function createGrowthMeter({ onState, onClose, expected = () => null }: GrowthMeterOptions): ContextMeter {
  const samples: number[] = []
  let turns = 0
  let summaries = 0
  let limit = 1
  let told: ContextLevel = 'ok'
  return {
    note(used, most) {
      limit = Math.max(1, most)
      turns += 1
      samples.push(Math.max(0, used))
      if (samples.length > mostSamples) samples.shift()
      const forecast = forecastGrowth(samples, limit, expected())
      const { level } = forecast
      // Each threshold once, until it has begun anew.
      const change = rank[level] > rank[told] ? changes[level] : null
      if (rank[level] > rank[told]) told = level
      onState({ ...forecast, limit, turns, summaries }, change)
      return forecast
    },
    summarised() {
      summaries += 1
      told = 'ok'
      samples.push(0)
      onState({ ...forecastGrowth(samples, limit, expected()), limit, turns, summaries }, 'summarised')
    },
    close: onClose,
  }
}
