import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import { startTicker } from '../../src/foundation/runtime/ticker.ts'
import { createFunctionRunner } from './function-runner.ts'
import { addTasks, countEnded, createBenchOrchestration, tenantNames } from './platform.ts'

const tenants = tenantNames(4)

/**
 * Fills an embedded database by working: `tasks` tasks of four tenants are added and done, with their events, ticks and
 * budgets; then a further thousand is added and left waiting.
 */
export async function fillDatabase(folder: string, tasks: number, note: (text: string) => void): Promise<void> {
  const onError = (error: unknown) => console.error('fill:', error)
  const database = await openDatabase({ kind: 'pglite', folder })
  const ticker = startTicker(database, { onError })
  try {
    const orchestration = createBenchOrchestration(database)
    const perform = () => ({ ok: true })
    const runner = await createFunctionRunner({ database, orchestration, tenants, slots: 2_000, perform })
    runner.start()
    for (let added = 0; added < tasks; ) {
      const next = Math.min(20_000, tasks - added)
      await addTasks(orchestration, tenants, next)
      added += next
      while ((await countEnded(database)) < added) await delay(20)
      note(`${added} tasks are done`)
    }
    await runner.close()
    await addTasks(orchestration, tenants, 1_000)
    await delay(200)
  } finally {
    await ticker.stop()
    await database.close()
  }
}

export interface Contents {
  readonly tasks: number
  readonly events: number
  readonly waiting: number
}

export async function readContents(database: Database): Promise<Contents> {
  const [row] = await database.asSystem('bench').read((tx) =>
    tx.query<Contents>(sql`
      select (select count(*)::int from tasks) as tasks, (select count(*)::int from events) as events,
        (select count(*)::int from tasks where state = 'ready') as waiting`),
  )
  return row!
}
