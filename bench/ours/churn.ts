import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { createFunctionRunner } from './function-runner.ts'
import { addTasks, countEnded, createBenchOrchestration, tenantNames } from './platform.ts'

/** What was seen while one part of the tasks went through. */
export interface ChurnWindow {
  readonly tasksPerSecond: number
  /** The most that the write-ahead log took, bytes. */
  readonly walBytes: number
  /** How late timers of the process were, ms. */
  readonly timerLagP99: number
}

const perWindow = 25_000
/** So many wait at any time, so that neither who adds nor who works is waited for. */
const backlog = 5_000

/** Sends `tasks` tasks through their whole life on an embedded database, in one process as in `npm start`. */
export async function churn(tasks: number, note: (text: string) => void): Promise<readonly ChurnWindow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-bench-churn-'))
  const database = await openDatabase({ kind: 'pglite', folder })
  const orchestration = createBenchOrchestration(database)
  const tenants = tenantNames(1)
  const runner = await createFunctionRunner({
    ...{ database, orchestration, tenants, slots: 2_000 },
    perform: () => ({ ok: true }),
  })
  const lag = monitorEventLoopDelay({ resolution: 5 })
  const windows: ChurnWindow[] = []
  let added = 0
  const add = async () => {
    while (added < tasks) {
      if (added - (await countEnded(database)) > backlog) await delay(20)
      else {
        await addTasks(orchestration, tenants, 1_000)
        added += 1_000
      }
    }
  }
  try {
    await addTasks(orchestration, tenants, backlog)
    added = backlog
    runner.start()
    lag.enable()
    const adding = add()
    adding.catch(() => {}) // told where it is waited for
    for (let ended = 0; ended < tasks; ) {
      const from = performance.now()
      const begin = ended
      let walBytes = 0
      lag.reset()
      while (ended < begin + perWindow && ended < tasks) {
        await Promise.race([delay(100), adding.then(() => delay(100))])
        walBytes = Math.max(walBytes, await bytesOf(await walFolder(folder)))
        ended = await countEnded(database)
      }
      const seconds = (performance.now() - from) / 1_000
      windows.push({
        ...{ tasksPerSecond: (ended - begin) / seconds, walBytes },
        timerLagP99: Math.max(0, lag.percentile(99) / 1e6 - 5),
      })
      note(`${ended} of ${tasks} tasks, ${Math.round((ended - begin) / seconds)} a second`)
    }
    await adding
    return windows
  } finally {
    lag.disable()
    await runner.close()
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function walFolder(folder: string): Promise<string> {
  const all = await readdir(folder, { recursive: true })
  return join(folder, all.find((path) => path.endsWith('pg_wal'))!)
}

async function bytesOf(folder: string): Promise<number> {
  const names = await readdir(folder)
  // A segment may be recycled between the two calls.
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (file) => file.size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
