import type { Server } from './postgres.ts'
import type { Result, TargetRule } from './report.ts'

export interface BenchOptions {
  /** How often each contender is measured; the report gives the median and the spread. */
  readonly rounds: number
  /** Parts to measure, of those that the bench names; null for all. */
  readonly only: readonly string[] | null
  /** Says on standard error what is being measured, so that a long bench is seen to live. */
  note(text: string): void
}

export interface Measured {
  readonly results: readonly Result[]
  readonly ratios: Readonly<Record<string, number>>
}

/** One named bench. `targets` judge the ratios of the same names. */
export interface Bench {
  readonly standalone?: false
  /** What it can be told to measure alone, where it takes long. Ratios of parts left out are not judged. */
  readonly parts?: readonly string[]
  readonly targets: Readonly<Record<string, TargetRule>>
  measure(server: Server, options: BenchOptions): Promise<Measured>
}

/** A bench that only computes: it needs neither a database nor the peers. */
export interface StandaloneBench {
  readonly standalone: true
  readonly parts?: readonly string[]
  readonly targets: Readonly<Record<string, TargetRule>>
  measure(options: BenchOptions): Promise<Measured>
}
