import { DBOSClient } from '@dbos-inc/dbos-sdk'
import { poolSize, queueContender } from '../harness/contender.ts'
import { startWorker } from '../harness/worker-process.ts'

const atOnce = 64

/** DBOS workflows of one step, taken from a queue by another process (started directly they are no faster). */
export const dbos = queueContender('dbos', 2_000, async (url) => {
  const worker = await startWorker(new URL('dbos-process.ts', import.meta.url), { BENCH_DATABASE_URL: url })
  const client = await DBOSClient.create({
    systemDatabaseUrl: url,
    systemDatabasePoolSize: poolSize,
    applicationName: 'bench',
  })
  return {
    async enqueue(tasks) {
      let next = 0
      const loop = async () => {
        while (next < tasks) {
          await client.enqueue({ queueName: 'bench', workflowName: 'oneStep', appVersion: 'bench' }, next++)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, loop))
    },
    drain: (tasks) => worker.call<number>('drain', tasks),
    async [Symbol.asyncDispose]() {
      await client.destroy()
      await worker[Symbol.asyncDispose]()
    },
  }
})
