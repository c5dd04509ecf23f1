import { PgBoss } from 'pg-boss'
import { poolSize, queueContender } from '../harness/contender.ts'
import { startWorker } from '../harness/worker-process.ts'

const batch = 5_000

/** pg-boss, fetched and completed in batches of 500 by several loops at a time. */
export const pgBoss = queueContender('pg-boss', 50_000, async (url) => {
  const boss = new PgBoss({ connectionString: url, max: poolSize, supervise: false, schedule: false })
  boss.on('error', (error) => console.error('pg-boss:', error))
  await boss.start()
  await boss.createQueue('bench')
  const worker = await startWorker(new URL('pg-boss-process.ts', import.meta.url), { BENCH_DATABASE_URL: url })
  return {
    async enqueue(tasks) {
      for (let from = 0; from < tasks; from += batch) {
        const size = Math.min(batch, tasks - from)
        await boss.insert(
          'bench',
          Array.from({ length: size }, (_, n) => ({ data: { n: from + n } })),
        )
      }
    },
    drain: (tasks) => worker.call<number>('drain', tasks),
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]()
      await boss.stop({ graceful: false })
    },
  }
})
