import { makeWorkerUtils } from 'graphile-worker'
import { poolSize } from '../harness/contender.ts'
import type { Entered, LatencyContender } from '../harness/latency-contender.ts'
import { startWorker } from '../harness/worker-process.ts'

/** graphile-worker without local queue and batching, which only add waiting to a queue that is nearly empty. */
export const graphileWorkerLatency: LatencyContender = {
  name: 'graphile-worker',
  async open(url) {
    const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: poolSize })
    await utils.migrate()
    const worker = await startWorker(new URL('graphile-worker-process.ts', import.meta.url), {
      BENCH_DATABASE_URL: url,
      BENCH_MODE: 'latency',
    })
    await worker.call('watch')
    return {
      async add(n, addedAt) {
        await utils.addJob('noop', { n, addedAt: String(addedAt) })
      },
      entered: () => worker.call<readonly Entered[]>('entered'),
      async [Symbol.asyncDispose]() {
        await worker[Symbol.asyncDispose]()
        await utils.release()
      },
    }
  },
}
