import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import type { Runner } from '../../src/orchestration/runners/runner.ts'
import { queueContender } from '../harness/contender.ts'
import { startWorker, type WorkerProcess } from '../harness/worker-process.ts'
import { createFunctionRunner } from './function-runner.ts'
import { addTasks, countEnded, createBenchOrchestration, openBenchDatabase, tenantNames } from './platform.ts'

/** Us on PostgreSQL: this process is the service, another one the runner. */
export const oursOnPostgres = queueContender('leanvibe', 50_000, async (url, tenantCount) => {
  const database = await openBenchDatabase(url, { migrate: true })
  const orchestration = createBenchOrchestration(database)
  let worker: WorkerProcess | undefined
  return {
    async enqueue(tasks) {
      await addTasks(orchestration, tenantNames(tenantCount), tasks)
    },
    async drain(tasks) {
      // Started only now: a runner that is there while tasks are added would take them at once.
      worker = await startWorker(new URL('runner-process.ts', import.meta.url), {
        BENCH_DATABASE_URL: url,
        BENCH_TENANTS: String(tenantCount),
        BENCH_SLOTS: '2000',
      })
      return worker.call<number>('drain', tasks)
    },
    async [Symbol.asyncDispose]() {
      await worker?.[Symbol.asyncDispose]()
      await database.close()
    },
  }
})

/** Us on the embedded database, which one process holds: service and runner share it, as in `npm start`. */
export const oursEmbedded = queueContender('leanvibe-pglite', 10_000, async (_url, tenantCount) => {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-bench-data-'))
  const database = await openDatabase({ kind: 'pglite', folder })
  const orchestration = createBenchOrchestration(database)
  const tenants = tenantNames(tenantCount)
  let runner: Runner | undefined
  return {
    enqueue: (tasks) => addTasks(orchestration, tenants, tasks),
    async drain(tasks) {
      const perform = () => ({ ok: true })
      runner = await createFunctionRunner({ database, orchestration, tenants, slots: 2_000, perform })
      const started = performance.now()
      runner.start()
      while ((await countEnded(database)) < tasks) await delay(5)
      return (performance.now() - started) / 1_000
    },
    async [Symbol.asyncDispose]() {
      await runner?.close()
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
