import type { Bench } from '../harness/bench.ts'
import type { Load, LoadResult } from '../harness/load-process.ts'
import type { Server } from '../harness/postgres.ts'
import { spreadResults } from '../harness/report.ts'
import { interleave } from '../harness/rounds.ts'
import { median, quantile } from '../harness/statistics.ts'
import { startWorker } from '../harness/worker-process.ts'
import type { Counts, Listening } from '../ours/ingest-process.ts'

interface Sample {
  readonly perSecond: number
  readonly p99: number
  /** Part of what was stored that was routed by the end, and part of this that a rule took. */
  readonly routed: number
  readonly fitted: number
}

const shape = { connections: 200, warmUpMs: 1_500, measureMs: 5_000, bytes: 1_024 }
/** Name, then mode, whether the same process routes what it takes, meanwhile, and whether the source has rules (CEL). */
const contenders = {
  'bare fastify, verifies only': ['bare', 'off', 'off'],
  leanvibe: ['ours', 'off', 'off'],
  'leanvibe, routing meanwhile': ['ours', 'on', 'off'],
  'leanvibe, with rules': ['ours', 'on', 'on'],
} as const

/**
 * Signed webhooks of about 1 KiB, each with its own delivery id, over 200 connections to one process. Ours are on disk
 * (PostgreSQL, fsync on) before they are answered; the bare route checks the same signature and keeps nothing.
 */
export const bench: Bench = {
  targets: { vs_bare: ['>=', 0.5] },
  async measure(server, { rounds, note }) {
    const names = Object.keys(contenders) as (keyof typeof contenders)[]
    const samples = await interleave(names, rounds, async (name, round) => {
      const sample = await measureOne(server, name, round)
      note(`round ${round + 1}/${rounds} ${name}: ${Math.round(sample.perSecond)}/s, p99 ${sample.p99.toFixed(1)} ms`)
      return sample
    })
    const rate = (name: keyof typeof contenders) => median(samples[name].map((sample) => sample.perSecond))
    const bare = rate('bare fastify, verifies only')
    return {
      results: names.flatMap((name) => [
        ...spreadResults(
          `${name}: webhooks`,
          samples[name].map((sample) => sample.perSecond),
          '/s',
        ),
        ...spreadResults(
          `${name}: p99`,
          samples[name].map((sample) => sample.p99),
          'ms',
        ),
      ]),
      ratios: {
        vs_bare: rate('leanvibe') / bare,
        vs_bare_routing: rate('leanvibe, routing meanwhile') / bare,
        vs_bare_rules: rate('leanvibe, with rules') / bare,
        routed_rules: median(samples['leanvibe, with rules'].map(({ routed }) => routed)),
      },
    }
  },
}

async function measureOne(server: Server, name: keyof typeof contenders, round: number): Promise<Sample> {
  const [mode, routing, rules] = contenders[name]
  const database = `ingest_${mode}_${routing}_${rules}_${round}`
  const url = await server.createDatabase(database)
  await server.settle()
  const env = { BENCH_DATABASE_URL: url, BENCH_MODE: mode, BENCH_ROUTING: routing, BENCH_RULES: rules }
  let result: LoadResult
  let counts: Counts = { stored: 0, routed: 0, fitted: 0 }
  {
    await using worker = await startWorker(new URL('../ours/ingest-process.ts', import.meta.url), env)
    await using client = await startWorker(new URL('../harness/load-process.ts', import.meta.url), {})
    const listening = await worker.call<Listening>('listen')
    const load: Load = { ...shape, ...listening, round: String(round) }
    result = await client.call<LoadResult>('run', load)
    if (result.refused > 0) throw new Error(`${name}: ${result.refused} requests were refused`)
    if (mode === 'ours') {
      counts = await worker.call<Counts>('count')
      const { stored, routed, fitted } = counts
      if (stored < result.answered) throw new Error(`${name}: ${result.answered} were answered, ${stored} are stored`)
      // Two in ten, give or take what had not come by when it ended.
      if (rules === 'on' && (fitted < 0.15 * routed || fitted > 0.25 * routed || routed === 0))
        throw new Error(`${name}: ${routed} were routed, rules took ${fitted}`)
    }
  }
  await server.dropDatabase(database)
  return {
    ...{ perSecond: result.answered / result.seconds, p99: quantile(result.latenciesMs, 0.99) },
    ...{ routed: counts.routed / Math.max(1, counts.stored), fitted: counts.fitted / Math.max(1, counts.routed) },
  }
}
