import { availableParallelism } from 'node:os'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import type { Bench } from '../harness/bench.ts'
import { poolSize } from '../harness/contender.ts'
import { spreadResults } from '../harness/report.ts'
import { median, quantile } from '../harness/statistics.ts'
import { openAccounts } from '../ours/budget-accounts.ts'

const spenders = 64
const warmUpMs = 2_000
const measuredMs = 8_000
const tenant = 'default' as TenantId

interface Sample {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** 64 callers reserve and settle without a pause, on three levels of budgets: tenant, run, task. */
export const bench: Bench = {
  targets: { pairs_vs_5000: ['>=', 1], p99_vs_25ms: ['<=', 1] },
  async measure(server, { rounds, note }) {
    const samples: Sample[] = []
    for (let round = 0; round < rounds; round++) {
      const name = `budgets_${round}`
      const url = await server.createDatabase(name)
      const sample = await measureOne(url, () => server.settle())
      await server.dropDatabase(name)
      samples.push(sample)
      const { perSecond, p50, p99 } = sample
      note(
        `round ${round + 1}/${rounds}: ${Math.round(perSecond)} reserve+settle/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
      )
    }
    return {
      results: [
        ...spreadResults(
          'reserve+settle',
          samples.map((sample) => sample.perSecond),
          '/s',
        ),
        ...spreadResults(
          'one operation, p50',
          samples.map((sample) => sample.p50),
          'ms',
        ),
        ...spreadResults(
          'one operation, p99',
          samples.map((sample) => sample.p99),
          'ms',
        ),
        { name: 'callers', value: spenders, unit: '' },
        { name: 'cores', value: availableParallelism(), unit: '' },
      ],
      ratios: {
        pairs_vs_5000: median(samples.map((sample) => sample.perSecond)) / 5_000,
        p99_vs_25ms: median(samples.map((sample) => sample.p99)) / 25,
      },
    }
  },
}

async function measureOne(url: string, settle: () => Promise<void>): Promise<Sample> {
  await using database = await openDatabase({ kind: 'postgres', url, poolSize })
  await openAccounts(url, spenders)
  await settle()
  await using spender = new Spender({
    database,
    onError: (error) => {
      throw error
    },
  })
  const started = performance.now()
  const latencies: number[] = []
  const measure = async <T>(operation: Promise<T>): Promise<T> => {
    const at = performance.now()
    const result = await operation
    const done = performance.now()
    if (at - started >= warmUpMs && done - started <= warmUpMs + measuredMs) latencies.push(done - at)
    return result
  }
  const caller = async (n: number) => {
    const scopes = { run: 'run_bench', task: `task_${n}` }
    const request = { tenant, scopes, hold: { 'micro-usd': 50_000 }, enforcement: 'metered', purpose: 'bench' } as const
    let settling: Promise<void> = Promise.resolve()
    for (;;) {
      // What one call has cost is settled while the next is reserved.
      const [reservation] = await Promise.all([measure(spender.reserve(request)), settling])
      if (performance.now() - started > warmUpMs + measuredMs) return spender.release(reservation)
      settling = measure(spender.settle(reservation, { 'micro-usd': 1_234 }))
    }
  }
  await Promise.all(Array.from({ length: spenders }, (_, n) => caller(n)))
  return {
    perSecond: (latencies.length / 2 / measuredMs) * 1_000,
    p50: median(latencies),
    p99: quantile(latencies, 0.99),
  }
}
