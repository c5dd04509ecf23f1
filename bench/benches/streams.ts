import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../harness/bench.ts'
import type { Server } from '../harness/postgres.ts'
import { spreadResults } from '../harness/report.ts'
import type { Readers, Seen } from '../harness/sse-readers-process.ts'
import { median, quantile } from '../harness/statistics.ts'
import { startWorker, type WorkerProcess } from '../harness/worker-process.ts'
import type { StreamsListening } from '../ours/streams-process.ts'

const readers = 1_000
/** For the throughput: all events to all readers. */
const burst = { count: 2_000, batch: 100 }
const pace = { count: 200, perSecond: 20 }
const replayed = 100_000

interface Sample {
  readonly deliveredPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly replayPerSecond: number
}

/** One process on PostgreSQL serves 1,000 readers over SSE, each of which gets every event. */
export const bench: Bench = {
  targets: {},
  async measure(server, { rounds, note }) {
    const samples: Sample[] = []
    for (let round = 0; round < rounds; round++) {
      const sample = await measureOne(server, round)
      samples.push(sample)
      const { deliveredPerSecond, p50, p99, replayPerSecond } = sample
      note(
        `round ${round + 1}/${rounds}: ${Math.round(deliveredPerSecond)} events/s delivered, publish to receive ` +
          `p50 ${p50.toFixed(1)} ms p99 ${p99.toFixed(1)} ms, replay ${Math.round(replayPerSecond)}/s`,
      )
    }
    const all = (name: keyof Sample) => samples.map((sample) => sample[name])
    return {
      results: [
        ...spreadResults('delivered to 1,000 readers', all('deliveredPerSecond'), 'events/s'),
        ...spreadResults('publish to receive: p50', all('p50'), 'ms'),
        ...spreadResults('publish to receive: p99', all('p99'), 'ms'),
        ...spreadResults('replay from the log', all('replayPerSecond'), 'events/s'),
      ],
      ratios: { p99_to_p50: median(all('p99')) / median(all('p50')) },
    }
  },
}

async function measureOne(server: Server, round: number): Promise<Sample> {
  const database = `streams_${round}`
  const url = await server.createDatabase(database)
  await server.settle()
  const sample = await (async () => {
    await using worker = await startWorker(new URL('../ours/streams-process.ts', import.meta.url), {
      BENCH_DATABASE_URL: url,
    })
    await using clients = await startWorker(new URL('../harness/sse-readers-process.ts', import.meta.url), {})
    const { port, tail, replay, token } = await worker.call<StreamsListening>('listen')
    await clients.call('open', { port, path: tail, token, count: readers } satisfies Readers)

    const startedAt = BigInt(await worker.call<string>('burst', burst))
    const done = await untilAll(clients, burst.count)
    const seconds = Number(BigInt(done.lastAt) - startedAt) / 1e9

    await clients.call('startTiming')
    await worker.call('paced', pace)
    await untilAll(clients, burst.count + pace.count)
    const latencies = await clients.call<readonly number[]>('latencies')
    await clients[Symbol.asyncDispose]()

    await worker.call('burst', { count: replayed, batch: 1_000 })
    return {
      deliveredPerSecond: (burst.count * readers) / seconds,
      p50: median(latencies),
      p99: quantile(latencies, 0.99),
      replayPerSecond: await measureReplay(`http://127.0.0.1:${port}${replay}`, token),
    }
  })()
  await server.dropDatabase(database)
  return sample
}

/** Waits until every reader has `count` events. */
async function untilAll(clients: WorkerProcess, count: number): Promise<Seen> {
  const deadline = performance.now() + 120_000
  for (;;) {
    const seen = await clients.call<Seen>('seen')
    if (seen.cut.length > 0) throw new Error(`${seen.cut.length} readers were cut; the first was told: ${seen.cut[0]}`)
    if (seen.fewest >= count) return seen
    if (performance.now() > deadline) throw new Error(`a reader has ${seen.fewest} of ${count} events`)
    await delay(20)
  }
}

/** Events a second of the whole log to one reader that does nothing but count lines. */
async function measureReplay(url: string, token: string): Promise<number> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const started = performance.now()
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    let lines = 0
    for await (const chunk of answer.body!) for (const byte of chunk) if (byte === 0x0a) lines += 1
    // The last events may not have been ticked yet.
    if (lines >= replayed) return lines / ((performance.now() - started) / 1_000)
    if (performance.now() > deadline) throw new Error(`a replay holds ${lines} of ${replayed} events`)
    await delay(100)
  }
}
