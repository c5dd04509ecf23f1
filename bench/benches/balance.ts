import { seededRandom } from '../../src/foundation/kernel/random.ts'
import type { StandaloneBench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { median, quantile } from '../harness/statistics.ts'
import { type Contender, contenders } from '../simulator/dispatchers.ts'
import { type SimulatedAgent, simulate } from '../simulator/simulate.ts'
import { readTrace, type TracedRequest } from '../simulator/trace.ts'
import { jobsOf } from '../simulator/workload.ts'

const seeds = 20
const loads = [0.5, 0.7, 0.9] as const
const agentCounts = [8, 32] as const
/** The first jobs meet idle agents, which says nothing of the load. */
const warmUp = 0.05

interface Figures {
  readonly mean: number
  readonly p99: number
}

/** Which agent gets which job: how long jobs take from their arrival to their end, by strategy. */
export const bench: StandaloneBench = {
  standalone: true,
  targets: {
    p2c_vs_round_robin_p99_8_agents_load_70: ['<=', 0.8],
    p2c_vs_round_robin_p99_8_agents_load_90: ['<=', 0.8],
    p2c_vs_round_robin_p99_32_agents_load_70: ['<=', 0.8],
    p2c_vs_round_robin_p99_32_agents_load_90: ['<=', 0.8],
  },
  async measure({ note }) {
    const trace = readTrace()
    const settings = agentCounts.flatMap((count) => loads.map((load) => ({ count, load })))
    const measured = settings.map(({ count, load }) => {
      const agents = fleetOf(count)
      const figures = new Map(contenders.map((one) => [one.name, figuresOf(one, agents, load, trace)]))
      note(`${count} agents, load ${load}: done`)
      return { count, load, figures }
    })
    return {
      results: measured.flatMap(({ count, load, figures }) =>
        [...figures].flatMap(([name, runs]) => {
          const title = `${name}, ${count} agents, load ${load}`
          return [
            ...spreadResults(`${title}: mean`, all(runs, 'mean'), 's'),
            ...spreadResults(`${title}: p99`, all(runs, 'p99'), 's'),
          ]
        }),
      ),
      ratios: Object.fromEntries(
        measured.flatMap(({ count, load, figures }) => {
          const of = (name: string, what: keyof Figures) => median(all(figures.get(name)!, what))
          return ['round_robin', 'random', 'least_connections', 'oracle'].flatMap((other) =>
            (['mean', 'p99'] as const).map((what) => [
              `p2c_vs_${other}_${what}_${count}_agents_load_${load * 100}`,
              of('power_of_two_choices', what) / of(other, what),
            ]),
          )
        }),
      ),
    }
  },
}

/** A quarter of them at a third of the speed. */
function fleetOf(count: number): readonly SimulatedAgent[] {
  return Array.from({ length: count }, (_, n) => ({ id: `agent-${n}`, speed: n % 4 === 0 ? 1 / 3 : 1 }))
}

function figuresOf(
  contender: Contender,
  agents: readonly SimulatedAgent[],
  load: number,
  trace: readonly TracedRequest[],
): readonly Figures[] {
  const capacity = agents.reduce((sum, agent) => sum + agent.speed, 0)
  return Array.from({ length: seeds }, (_, seed) => {
    // All contenders get the same jobs from the same seed.
    const jobs = jobsOf(trace, capacity, load, seededRandom(seed))
    const random = seededRandom(1_000 + seed)
    const sojourns = simulate(jobs, agents, contender.weightOf, contender.make, () => random.next())
    const counted = sojourns.slice(Math.floor(sojourns.length * warmUp)).map((ms) => ms / 1_000)
    return { mean: counted.reduce((sum, s) => sum + s, 0) / counted.length, p99: quantile(counted, 0.99) }
  })
}

function all(runs: readonly Figures[], what: keyof Figures): number[] {
  return runs.map((run) => run[what])
}
