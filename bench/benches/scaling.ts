import { type Random, seededRandom } from '../../src/foundation/kernel/random.ts'
import type { ScalingPolicyInput } from '../../src/orchestration/scaling/scaling-contract.ts'
import type { StandaloneBench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { median } from '../harness/statistics.ts'
import { type FleetFigures, type FleetSettings, type Scaler, scaleFleet } from '../simulator/scale-fleet.ts'
import { horizontalPodAutoscaler, policyScaler } from '../simulator/scalers.ts'
import { readTrace, type TracedRequest } from '../simulator/trace.ts'
import { type Job, workOf } from '../simulator/workload.ts'

const rates = [1, 10, 100] as const
const seeds = 5
const settings: FleetSettings = { startupMs: 20_000, objectiveMs: 5_000 }
/** The same for all who take a target. */
const target = 0.7
/** Copies of a request arrive within this time of it, so that bursts stay bursts at every rate, ms. */
const spreadMs = 5_000

/** How many agents there are, and who has to wait: five strategies against the autoscaler everybody knows. */
export const bench: StandaloneBench = {
  standalone: true,
  targets: Object.fromEntries(
    rates.flatMap((rate) => [
      [`target_tracking_vs_hpa_misses_rate_${rate}`, ['<=', 1] as const],
      [`target_tracking_vs_hpa_agent_seconds_rate_${rate}`, ['<=', 1] as const],
    ]),
  ),
  async measure({ note }) {
    const trace = readTrace()
    const measured = rates.map((rate) => {
      const figures = new Map<string, FleetFigures[]>()
      for (let seed = 0; seed < seeds; seed++) {
        const jobs = jobsAt(trace, rate, seededRandom(seed))
        for (const [name, scaler] of scalersFor(jobs, rate)) {
          figures.set(name, [...(figures.get(name) ?? []), scaleFleet(jobs, scaler, settings)])
        }
      }
      note(`${rate} x the rate: done`)
      return { rate, figures }
    })
    return {
      results: measured.flatMap(({ rate, figures }) =>
        [...figures].flatMap(([name, runs]) => [
          ...spreadResults(`${name}, rate ${rate}: SLO misses`, all(runs, 'misses', 100), '%'),
          ...spreadResults(`${name}, rate ${rate}: agent-seconds`, all(runs, 'agentSeconds'), 's'),
          ...spreadResults(`${name}, rate ${rate}: mean wait`, all(runs, 'meanWaitMs', 0.001), 's'),
        ]),
      ),
      ratios: Object.fromEntries(
        measured.flatMap(({ rate, figures }) => {
          const of = (name: string, what: keyof FleetFigures) => median(all(figures.get(name)!, what))
          return [...figures.keys()]
            .filter((name) => name !== 'hpa')
            .flatMap((name) => [
              [`${name}_vs_hpa_misses_rate_${rate}`, of(name, 'misses') / of('hpa', 'misses')],
              [`${name}_vs_hpa_agent_seconds_rate_${rate}`, of(name, 'agentSeconds') / of('hpa', 'agentSeconds')],
            ])
        }),
      ),
    }
  },
}

/** The trace from a random place in it, going round at its end; every request `rate` times. */
function jobsAt(trace: readonly TracedRequest[], rate: number, random: Random): readonly Job[] {
  const length = trace.at(-1)!.at + trace.at(-1)!.at / trace.length
  const start = Math.floor(random.next() * trace.length)
  const from = trace[start]!.at
  const jobs = trace.flatMap((request, n): Job[] => {
    const at = n < start ? request.at - from + length : request.at - from
    return Array.from({ length: rate }, (_, copy) => {
      const arrivesAt = at + (copy === 0 ? 0 : random.next() * spreadMs)
      return { arrivesAt, work: workOf(request), key: '' }
    })
  })
  return jobs.sort((a, b) => a.arrivesAt - b.arrivesAt)
}

function scalersFor(jobs: readonly Job[], rate: number): readonly (readonly [string, Scaler])[] {
  const work = jobs.reduce((sum, job) => sum + job.work, 0)
  // What an operator would size the pool for who knew the mean load beforehand.
  const sized = Math.ceil(work / jobs.at(-1)!.arrivesAt / target)
  const bounds = { min: 1, max: 100 * rate }
  const policies: Readonly<Record<string, ScalingPolicyInput>> = {
    simple: { strategy: 'simple', ...bounds },
    step: { strategy: 'step', ...bounds },
    target_tracking: { strategy: 'target_tracking', ...bounds, targetTracking: { utilisation: target } },
    scheduled: { strategy: 'scheduled', ...bounds, scheduled: { entries: [{ cron: '0 0 1 1 *', agents: sized }] } },
    predictive: { strategy: 'predictive', ...bounds, predictive: { utilisation: target } },
  }
  const hpa = { target, tolerance: 0.1, ...bounds, downWindowMs: 300_000 }
  return [
    ['hpa', horizontalPodAutoscaler(hpa, sized)],
    ...Object.entries(policies).map(([name, policy]) => [name, policyScaler(policy, sized)] as const),
  ]
}

function all(runs: readonly FleetFigures[], what: keyof FleetFigures, factor = 1): number[] {
  return runs.map((run) => run[what] * factor)
}
