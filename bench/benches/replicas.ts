import type { Bench } from '../harness/bench.ts'
import { measureRounds } from '../harness/dispatch-rounds.ts'
import { spreadResults } from '../harness/report.ts'
import { median } from '../harness/statistics.ts'
import { replicas } from '../ours/replicas.ts'

const entries = {
  '1 replica': { contender: replicas(1), tenants: 1 },
  '2 replicas': { contender: replicas(2), tenants: 1 },
  '3 replicas': { contender: replicas(3), tenants: 1 },
  '1 replica, 8 tenants': { contender: replicas(1), tenants: 8 },
  '2 replicas, 8 tenants': { contender: replicas(2), tenants: 8 },
  '3 replicas, 8 tenants': { contender: replicas(3), tenants: 8 },
} as const

/** What further processes on one PostgreSQL bring, or cost: with one tenant they share a shard, with eight each has some. */
export const bench: Bench = {
  targets: {},
  async measure(server, options) {
    const samples = await measureRounds(server, entries, options)
    const rate = (name: keyof typeof entries) => median(samples[name].map((sample) => sample.completed))
    return {
      results: Object.entries(samples).flatMap(([name, taken]) =>
        spreadResults(
          name,
          taken.map((sample) => sample.completed),
          'tasks/s',
        ),
      ),
      ratios: {
        two_vs_one: rate('2 replicas') / rate('1 replica'),
        three_vs_one: rate('3 replicas') / rate('1 replica'),
        two_vs_one_8_tenants: rate('2 replicas, 8 tenants') / rate('1 replica, 8 tenants'),
        three_vs_one_8_tenants: rate('3 replicas, 8 tenants') / rate('1 replica, 8 tenants'),
      },
    }
  },
}
