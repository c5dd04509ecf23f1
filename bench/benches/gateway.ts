import type { Bench } from '../harness/bench.ts'
import type { GetLoad, GetLoadResult } from '../harness/get-load-process.ts'
import type { Server } from '../harness/postgres.ts'
import { spreadResults } from '../harness/report.ts'
import { interleave } from '../harness/rounds.ts'
import { median, quantile } from '../harness/statistics.ts'
import { startWorker } from '../harness/worker-process.ts'
import { hasNginx, startNginx } from '../peers/nginx.ts'

interface Sample {
  readonly perSecond: number
  readonly p99: number
}
type Listening = Pick<GetLoad, 'port' | 'path' | 'headers'>

const crowds = [100, 1_000] as const
const times = { warmUpMs: 1_000, measureMs: 3_000 }
const peers = [
  'reply-from, bare',
  'leanvibe, key and rates',
  ...(hasNginx ? (['nginx, one worker'] as const) : []),
] as const
type Peer = (typeof peers)[number]

/**
 * Small GET requests through one process each, to the same upstream, which answers from memory. Ours looks at a key, counts
 * against five limits that replicas share (PostgreSQL), chooses, measures and tells what a gateway tells; reply-from and
 * nginx only pass on.
 */
export const bench: Bench = {
  targets: Object.fromEntries(
    crowds.flatMap((crowd) => [
      [`rate_vs_reply_from_${crowd}`, ['>=', 0.8] as const],
      [`p99_vs_reply_from_${crowd}`, ['<=', 1.5] as const],
    ]),
  ),
  async measure(server, { rounds, note }) {
    if (!hasNginx) note('nginx is not installed (Debian: nginx-light): left out')
    const names = crowds.flatMap((crowd) => peers.map((peer) => `${peer}: ${crowd}` as const))
    const samples = await interleave(names, rounds, async (name, round) => {
      const [peer, crowd] = name.split(': ') as [Peer, string]
      const sample = await measureOne(server, peer, Number(crowd), round)
      note(`round ${round + 1}/${rounds} ${name}: ${Math.round(sample.perSecond)}/s, p99 ${sample.p99.toFixed(1)} ms`)
      return sample
    })
    const of = (peer: Peer, crowd: number, what: keyof Sample) =>
      median(samples[`${peer}: ${crowd}` as (typeof names)[number]].map((sample) => sample[what]))
    return {
      results: names.flatMap((name) => [
        ...spreadResults(
          `${name} connections`,
          samples[name].map((sample) => sample.perSecond),
          '/s',
        ),
        ...spreadResults(
          `${name} connections, p99`,
          samples[name].map((sample) => sample.p99),
          'ms',
        ),
      ]),
      ratios: Object.fromEntries(
        crowds.flatMap((crowd) => {
          const ratio = (what: keyof Sample, peer: Peer) =>
            of('leanvibe, key and rates', crowd, what) / of(peer, crowd, what)
          return [
            [`rate_vs_reply_from_${crowd}`, ratio('perSecond', 'reply-from, bare')],
            [`p99_vs_reply_from_${crowd}`, ratio('p99', 'reply-from, bare')],
            ...(hasNginx ? [[`rate_vs_nginx_${crowd}`, ratio('perSecond', 'nginx, one worker' as Peer)]] : []),
          ] as [string, number][]
        }),
      ),
    }
  },
}

async function measureOne(server: Server, peer: Peer, connections: number, round: number): Promise<Sample> {
  await using upstream = await startWorker(new URL('../harness/raw-upstream-process.ts', import.meta.url), {})
  const { port } = await upstream.call<{ port: number }>('listen')
  const database = `gateway_${connections}_${round}`
  const result = await withPeer(server, peer, port, database, async (listening) => {
    await using client = await startWorker(new URL('../harness/get-load-process.ts', import.meta.url), {})
    return await client.call<GetLoadResult>('run', { ...times, ...listening, connections } satisfies GetLoad)
  })
  if (result.refused > 0) throw new Error(`${peer}: ${result.refused} requests were refused: ${result.example}`)
  return { perSecond: result.answered / result.seconds, p99: quantile(result.latenciesMs, 0.99) }
}

async function withPeer<T>(
  server: Server,
  peer: Peer,
  port: number,
  database: string,
  use: (listening: Listening) => Promise<T>,
): Promise<T> {
  const upstream = `http://127.0.0.1:${port}`
  if (peer === 'reply-from, bare') {
    await using worker = await startWorker(new URL('../peers/reply-from-process.ts', import.meta.url), {})
    return await use(await worker.call<Listening>('listen', { upstream }))
  }
  if (peer === 'nginx, one worker') {
    await using nginx = await startNginx(port)
    return await use(nginx)
  }
  const databaseUrl = await server.createDatabase(database)
  try {
    await using worker = await startWorker(new URL('../ours/gateway-process.ts', import.meta.url), {})
    return await use(await worker.call<Listening>('listen', { upstream, databaseUrl }))
  } finally {
    await server.dropDatabase(database)
  }
}
