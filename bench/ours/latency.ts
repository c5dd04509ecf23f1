import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { Entered, LatencyContender } from '../harness/latency-contender.ts'
import { startWorker } from '../harness/worker-process.ts'
import { createBenchOrchestration, openBenchDatabase, startBenchRun } from './platform.ts'

/** Us on PostgreSQL: each task is a run of its own, started here and done in another process. */
export const oursLatency: LatencyContender = {
  name: 'leanvibe',
  async open(url) {
    const database = await openBenchDatabase(url, { migrate: true })
    const orchestration = createBenchOrchestration(database)
    const worker = await startWorker(new URL('runner-process.ts', import.meta.url), {
      BENCH_DATABASE_URL: url,
      BENCH_TENANTS: '1',
      BENCH_SLOTS: '8',
    })
    await worker.call('watch')
    return {
      async add(n, addedAt) {
        const item = JSON.stringify({ n, addedAt: String(addedAt) })
        await startBenchRun(orchestration, 'default' as TenantId, [item])
      },
      entered: () => worker.call<readonly Entered[]>('entered'),
      async [Symbol.asyncDispose]() {
        await worker[Symbol.asyncDispose]()
        await database.close()
      },
    }
  },
}
