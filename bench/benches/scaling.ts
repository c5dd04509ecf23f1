import { type Random, seededRandom } from '../../src/foundation/kernel/random.ts'
import type { ScalingPolicyInput } from '../../src/orchestration/scaling/scaling-contract.ts'
import type { StandaloneBench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { median } from '../harness/statistics.ts'
import { type FleetFigures, type FleetSettings, type Scaler, scaleFleet } from '../simulator/scale-fleet.ts'
import { horizontalPodAutoscaler, policyScaler } from '../simulator/scalers.ts'
import { syntheticJobs, syntheticLoads } from '../simulator/synthetic.ts'
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
    const settingsElsewhere = tally(elsewhereOnTrace(trace))
    note('other targets and start-up times: done')
    const synthetic = tally(onSyntheticLoads())
    note('synthetic loads: done')
    return {
      results: [
        ...measured.flatMap(({ rate, figures }) =>
          [...figures].flatMap(([name, runs]) => [
            ...spreadResults(`${name}, rate ${rate}: SLO misses`, all(runs, 'misses', 100), '%'),
            ...spreadResults(`${name}, rate ${rate}: agent-seconds`, all(runs, 'agentSeconds'), 's'),
            ...spreadResults(`${name}, rate ${rate}: mean wait`, all(runs, 'meanWaitMs', 0.001), 's'),
          ]),
        ),
        ...tallyResults('other targets and start-up times', settingsElsewhere),
        ...tallyResults('synthetic loads', synthetic),
      ],
      ratios: Object.fromEntries(
        measured.flatMap(({ rate, figures }) => {
          const of = (name: string, what: keyof FleetFigures) => median(all(figures.get(name)!, what))
          return [...figures.keys()]
            .filter((name) => name !== 'hpa')
            .flatMap((name) => [
              [`${name}_vs_hpa_misses_rate_${rate}`, ratio(of(name, 'misses'), of('hpa', 'misses'))],
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

/** What an operator would size the pool for who knew the mean load beforehand. */
function sizedFor(jobs: readonly Job[], utilisation: number): number {
  const work = jobs.reduce((sum, job) => sum + job.work, 0)
  return Math.ceil(work / jobs.at(-1)!.arrivesAt / utilisation)
}

function scalersFor(jobs: readonly Job[], rate: number): readonly (readonly [string, Scaler])[] {
  const sized = sizedFor(jobs, target)
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

interface Duel {
  readonly ours: readonly FleetFigures[]
  readonly hpa: readonly FleetFigures[]
}

/** target_tracking and the HPA on the same jobs, from the same start. */
function duel(jobSets: readonly (readonly Job[])[], utilisation: number, startupMs: number): Duel {
  const bounds = { min: 1, max: 5_000 }
  const run = (scaler: (initial: number) => Scaler) =>
    jobSets.map((jobs) => scaleFleet(jobs, scaler(sizedFor(jobs, utilisation)), { ...settings, startupMs }))
  const targetTracking = { utilisation, startupMs }
  const policy = { strategy: 'target_tracking', ...bounds, targetTracking } as const
  return {
    ours: run((initial) => policyScaler(policy, initial)),
    hpa: run((initial) =>
      horizontalPodAutoscaler({ target: utilisation, tolerance: 0.1, ...bounds, downWindowMs: 300_000 }, initial),
    ),
  }
}

const few = [0, 1, 2]

function elsewhereOnTrace(trace: readonly TracedRequest[]): readonly Duel[] {
  const jobSets = few.map((seed) => jobsAt(trace, 1, seededRandom(seed)))
  return [0.5, 0.6, 0.7, 0.8].flatMap((utilisation) =>
    [5_000, 20_000, 60_000].map((startupMs) => duel(jobSets, utilisation, startupMs)),
  )
}

function onSyntheticLoads(): readonly Duel[] {
  return syntheticLoads.map((load) => {
    const jobSets = few.map((seed) => syntheticJobs(load, seededRandom(seed)))
    return duel(jobSets, target, settings.startupMs)
  })
}

interface Tally {
  readonly both: number
  readonly misses: number
  readonly agents: number
  readonly all: number
}

/** In how many settings target_tracking is no worse in both figures, and in how many it is worse in one. */
function tally(duels: readonly Duel[]): Tally {
  const worse = (one: Duel, what: 'misses' | 'agentSeconds') => median(all(one.ours, what)) > median(all(one.hpa, what))
  return {
    both: duels.filter((one) => !worse(one, 'misses') && !worse(one, 'agentSeconds')).length,
    misses: duels.filter((one) => worse(one, 'misses')).length,
    agents: duels.filter((one) => worse(one, 'agentSeconds')).length,
    all: duels.length,
  }
}

function tallyResults(name: string, { both, misses, agents, all: count }: Tally) {
  return [
    { name: `${name}: target_tracking no worse in both`, value: both, unit: `of ${count}` },
    { name: `${name}: more SLO misses`, value: misses, unit: `of ${count}` },
    { name: `${name}: more agent-seconds`, value: agents, unit: `of ${count}` },
  ]
}

/** Where nobody misses anything, the two are equal. A millionth of all tasks is nothing. */
function ratio(ours: number, theirs: number): number {
  return (ours + 1e-6) / (theirs + 1e-6)
}

function all(runs: readonly FleetFigures[], what: keyof FleetFigures, factor = 1): number[] {
  return runs.map((run) => run[what] * factor)
}
