import { availableParallelism } from 'node:os'
import type { Bench } from '../harness/bench.ts'
import type { ModelLoad, ModelLoadResult } from '../harness/model-load-process.ts'
import type { Server } from '../harness/postgres.ts'
import { spreadResults } from '../harness/report.ts'
import { median, quantile } from '../harness/statistics.ts'
import { startWorker, type WorkerProcess } from '../harness/worker-process.ts'
import type { Gateway } from '../ours/models-process.ts'

const callers = 16
const warmShape = { callers, stream: false, said: 'at once', warmUpMs: 100, measureMs: 4_000 }
const wholeShape = { callers, stream: false, said: 'go on', warmUpMs: 1_000, measureMs: 5_000 }
const streamShape = { callers, stream: true, said: 'go on', warmUpMs: 1_000, measureMs: 4_000 }

interface Sample {
  readonly whole: readonly number[]
  readonly words: readonly number[]
}

/**
 * 16 callers of one scripted provider, once directly and once through the gateway: the whole server on PostgreSQL, with a
 * model key, rate limits that count, and four budgets that hold and settle each call. What is added is the difference of what
 * calls take beside the provider's own time.
 */
export const bench: Bench = {
  targets: { added_p50_vs_3ms: ['<=', 1], added_word_p50_vs_1ms: ['<=', 1] },
  async measure(server, { rounds, note }) {
    const direct: Sample[] = []
    const ours: Sample[] = []
    for (let round = 0; round < rounds; round++) {
      const { direct: a, ours: b } = await measureRound(server, round)
      direct.push(a)
      ours.push(b)
      const added = (median(b.whole) - median(a.whole)).toFixed(2)
      const word = (median(b.words) - median(a.words)).toFixed(2)
      note(
        `round ${round + 1}/${rounds}: a call ${median(a.whole).toFixed(2)} ms beside what the provider takes, added ${added} ms; a word ${word} ms`,
      )
    }
    const added = (of: keyof Sample, at: (values: readonly number[]) => number) =>
      ours.map((sample, n) => at(sample[of]) - at(direct[n]![of]))
    const p99 = (values: readonly number[]) => quantile(values, 0.99)
    const whole = added('whole', median)
    const words = added('words', median)
    return {
      results: [
        ...spreadResults(
          'direct call without what the provider takes, p50',
          direct.map((sample) => median(sample.whole)),
          'ms',
        ),
        ...spreadResults('added to a call, p50', whole, 'ms'),
        ...spreadResults('added to a call, p99', added('whole', p99), 'ms'),
        ...spreadResults(
          'direct word, p50',
          direct.map((sample) => median(sample.words)),
          'ms',
        ),
        ...spreadResults('added to a streamed word, p50', words, 'ms'),
        ...spreadResults('added to a streamed word, p99', added('words', p99), 'ms'),
        { name: 'callers', value: callers, unit: '' },
        { name: 'cores', value: availableParallelism(), unit: '' },
      ],
      ratios: { added_p50_vs_3ms: median(whole) / 3, added_word_p50_vs_1ms: median(words) / 1 },
    }
  },
}

async function measureRound(
  server: Server,
  round: number,
): Promise<{ readonly direct: Sample; readonly ours: Sample }> {
  const name = `llm_${round}`
  const url = await server.createDatabase(name)
  await server.settle()
  let samples: { readonly direct: Sample; readonly ours: Sample }
  {
    await using upstream = await startWorker(new URL('../ours/model-upstream-process.ts', import.meta.url), {})
    await using gateway = await startWorker(new URL('../ours/models-process.ts', import.meta.url), {
      BENCH_DATABASE_URL: url,
    })
    await using client = await startWorker(new URL('../harness/model-load-process.ts', import.meta.url), {})
    const provider = { url: await upstream.call<string>('listen'), key: 'none' }
    const ours = await gateway.call<Gateway>('listen', provider.url)
    // One after the other, in turns, so that a drift of the machine falls on both.
    const first = round % 2 === 0 ? await sampleOf(client, provider) : null
    const second = await sampleOf(client, ours)
    samples = { direct: first ?? (await sampleOf(client, provider)), ours: second }
  }
  await server.dropDatabase(name)
  return samples
}

async function sampleOf(client: WorkerProcess, place: Gateway): Promise<Sample> {
  const run = async (shape: Omit<ModelLoad, keyof Gateway>) => {
    const result = await client.call<ModelLoadResult>('run', { ...place, ...shape } satisfies ModelLoad)
    if (result.failed > 0) throw new Error(`${result.failed} calls failed`)
    return result
  }
  await run(warmShape)
  const { latenciesMs: whole } = await run(wholeShape)
  const { wordsMs: words } = await run(streamShape)
  return { whole, words }
}
