import type { Bench } from '../harness/bench.ts'
import type { LatencyContender } from '../harness/latency-contender.ts'
import { measurePaced, type Pace } from '../harness/paced.ts'
import { spreadResults } from '../harness/report.ts'
import { interleave } from '../harness/rounds.ts'
import { median, quantile } from '../harness/statistics.ts'
import { oursLatency } from '../ours/latency.ts'
import { graphileWorkerLatency } from '../peers/graphile-worker-latency.ts'

const pace: Pace = { perSecond: 50, seconds: 20, warmUp: 100 }
const contenders: Readonly<Record<string, LatencyContender>> = {
  leanvibe: oursLatency,
  'graphile-worker': graphileWorkerLatency,
}

interface Sample {
  readonly p50: number
  readonly p99: number
}

/** How long a task waits on an idle platform: from the call that adds it to its handler's first line. */
export const bench: Bench = {
  targets: { p50_vs_graphile: ['<=', 1.5], p99_vs_graphile: ['<=', 2] },
  async measure(server, { rounds, note }) {
    const samples = await interleave<string, Sample>(Object.keys(contenders), rounds, async (name, round) => {
      const database = `latency_${name.replace(/\W/g, '_')}_${round}`
      const url = await server.createDatabase(database)
      await server.settle()
      const latencies = await measureOne(contenders[name]!, url)
      await server.dropDatabase(database)
      const sample = { p50: median(latencies), p99: quantile(latencies, 0.99) }
      note(`round ${round + 1}/${rounds} ${name}: p50 ${sample.p50.toFixed(1)} ms, p99 ${sample.p99.toFixed(1)} ms`)
      return sample
    })
    const ratio = (which: keyof Sample) =>
      median(samples.leanvibe!.map((sample) => sample[which])) /
      median(samples['graphile-worker']!.map((sample) => sample[which]))
    return {
      results: Object.entries(samples).flatMap(([name, taken]) => [
        ...spreadResults(
          `${name}: p50`,
          taken.map((sample) => sample.p50),
          'ms',
        ),
        ...spreadResults(
          `${name}: p99`,
          taken.map((sample) => sample.p99),
          'ms',
        ),
      ]),
      ratios: { p50_vs_graphile: ratio('p50'), p99_vs_graphile: ratio('p99') },
    }
  },
}

async function measureOne(contender: LatencyContender, url: string): Promise<number[]> {
  await using queue = await contender.open(url)
  const latencies = await measurePaced(queue, pace)
  return latencies
}
