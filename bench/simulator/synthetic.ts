import type { Random } from '../../src/foundation/kernel/random.ts'
import type { Job } from './workload.ts'

export interface SyntheticLoad {
  /** Mean time of a job, seconds; exponential. */
  readonly serviceSeconds: number
  /** Arrivals a second in the mean. */
  readonly rate: number
  /** How far the rate swings around its mean, 0 to 1. */
  readonly swing: number
  /** About how long it stays where it is, seconds. */
  readonly holdSeconds: number
}

const lengthMs = 3_400_000
const longestJobMs = 120_000

/** Poisson arrivals at a rate that jumps to another level every so often. */
export function syntheticJobs(load: SyntheticLoad, random: Random): readonly Job[] {
  const jobs: Job[] = []
  const exponential = () => -Math.log(1 - random.next())
  let level = 1
  let until = 0
  for (let at = 0; at < lengthMs; ) {
    if (at >= until) {
      // The sum of three uniform numbers: about normal, and bounded.
      const bend = random.next() + random.next() + random.next() - 1.5
      level = Math.max(0.05, 1 + load.swing * 1.6 * bend)
      until = at + load.holdSeconds * 1_000 * (0.5 + random.next())
    }
    at += (exponential() / (load.rate * level)) * 1_000
    jobs.push({
      arrivesAt: at,
      work: Math.min(longestJobMs, exponential() * load.serviceSeconds * 1_000 + 50),
      key: '',
    })
  }
  return jobs
}

const services = [1.2, 6, 25]
const swings = [0, 0.3, 0.7]
const holds = [20, 120, 600]
const rates = [2.6, 20]

/** From calm to wild, from short jobs to long ones. */
export const syntheticLoads: readonly SyntheticLoad[] = services.flatMap((serviceSeconds) =>
  swings.flatMap((swing) =>
    holds.flatMap((holdSeconds) => rates.map((rate) => ({ serviceSeconds, swing, holdSeconds, rate }))),
  ),
)
