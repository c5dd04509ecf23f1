import type { AgentId, RunnerId, TenantId } from '../../src/foundation/kernel/ids.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import { addTasks, createBenchOrchestration, openBenchDatabase, pool } from './platform.ts'

const tenant = 'default' as TenantId
const ticks = 40
const slotsInAll = 10_000

/** Thrown to undo a tick once its time is known. */
class Undo extends Error {}

/** Milliseconds of ticks that each match a full batch with `agentCount` agents, in a queue of 5,000. Each is rolled back. */
export async function measureTicks(url: string, agentCount: number): Promise<number[]> {
  const database = await openBenchDatabase(url, { migrate: true })
  try {
    const orchestration = createBenchOrchestration(database)
    await addTasks(orchestration, [tenant], 5_000)
    const runnerId = 'runner-ticks' as RunnerId
    const agents = Array.from({ length: agentCount }, (_, n) => ({
      tenant,
      agentId: `agent-${n}` as AgentId,
      pool,
      kind: 'function',
      capabilities: [],
      labels: {},
      slots: slotsInAll / agentCount,
      weight: 1,
    }))
    const now = database.clock.now()
    const system = database.asSystem('bench')
    await system.write((tx) =>
      orchestration.runners.register(tx, { runnerId, host: 'bench', pid: process.pid, agents }, now),
    )
    const times: number[] = []
    for (let n = 0; n < ticks; n++) {
      await system
        .write(async (tx) => {
          const started = performance.now()
          await orchestration.dispatch(tx, [{ tenant, pool }], database.clock.now())
          times.push(performance.now() - started)
          const [{ leased } = { leased: 0 }] = await tx.query<{ leased: number }>(
            sql`select count(*)::int as leased from tasks where state = 'leased'`,
          )
          if (leased === 0) throw new Error('the tick found nothing to do')
          throw new Undo()
        })
        .catch((error: unknown) => {
          if (!(error instanceof Undo)) throw error
        })
    }
    return times.slice(ticks / 4)
  } finally {
    await database.close()
  }
}
