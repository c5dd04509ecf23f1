import { makeWorkerUtils } from 'graphile-worker'
import { poolSize, queueContender } from '../harness/contender.ts'
import { startWorker } from '../harness/worker-process.ts'

const batch = 5_000

/** graphile-worker with its local queue and batched completion: the fastest of the settings that were tried. */
export const graphileWorker = queueContender('graphile-worker', 50_000, async (url) => {
  const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: poolSize })
  await utils.migrate()
  const worker = await startWorker(new URL('graphile-worker-process.ts', import.meta.url), {
    BENCH_DATABASE_URL: url,
    BENCH_MODE: 'throughput',
  })
  return {
    async enqueue(tasks) {
      for (let from = 0; from < tasks; from += batch) {
        const size = Math.min(batch, tasks - from)
        await utils.addJobs(Array.from({ length: size }, (_, n) => ({ identifier: 'noop', payload: { n: from + n } })))
      }
    },
    drain: (tasks) => worker.call<number>('drain', tasks),
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]()
      await utils.release()
    },
  }
})
