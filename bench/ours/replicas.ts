import { setTimeout as delay } from 'node:timers/promises'
import { type Contender, queueContender } from '../harness/contender.ts'
import { startWorker, type WorkerProcess } from '../harness/worker-process.ts'
import { addTasks, countEnded, createBenchOrchestration, openBenchDatabase, tenantNames } from './platform.ts'

/** Slots of all replicas together, whatever their number. */
const slots = 2_400

/** Us on one PostgreSQL, with as many processes that match tasks with their agents, run them and take their results. */
export function replicas(count: number): Contender {
  return queueContender(`leanvibe-${count}`, 50_000, async (url, tenantCount) => {
    const database = await openBenchDatabase(url, { migrate: true })
    const orchestration = createBenchOrchestration(database)
    let workers: WorkerProcess[] = []
    return {
      enqueue: (tasks) => addTasks(orchestration, tenantNames(tenantCount), tasks),
      async drain(tasks) {
        workers = await Promise.all(
          Array.from({ length: count }, () =>
            startWorker(new URL('runner-process.ts', import.meta.url), {
              BENCH_DATABASE_URL: url,
              BENCH_TENANTS: String(tenantCount),
              BENCH_SLOTS: String(slots / count),
            }),
          ),
        )
        const before = await countEnded(database)
        const started = performance.now()
        await Promise.all(workers.map((worker) => worker.call('work')))
        while ((await countEnded(database)) < before + tasks) await delay(2)
        return (performance.now() - started) / 1_000
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()))
        await database.close()
      },
    }
  })
}
