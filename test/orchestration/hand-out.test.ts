import { expect, test } from 'vitest'
import type { Tx } from '../../src/foundation/platform/database/database.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import { Counters } from '../../src/orchestration/coordinator/counters.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const chain = `
name: chain
steps:
  a: { command: [a] }
  b: { command: [b], needs: [a] }
`
const shard = { tenant, pool: 'default' }

/** How many shards this transaction keeps others from. */
async function locksOf(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ locks: number }>(sql`
    select count(*)::int as locks from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`)
  return row!.locks
}

eachDatabase('what a call hands out', (use) => {
  test('a run goes on to its next step on the same agent in one call, which leaves the row of the agent alone', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const run = await platform.start(chain)
    const [first] = await worker.take()
    const rowOfAgent = () => use().owner('select xmin::text, used from agents order by id')
    const before = await rowOfAgent()
    await worker.exchange([worker.report(first!, { output: {} })], { reconcile: false })
    expect([...worker.held.values()].map(({ step }) => step)).toEqual(['b'])
    expect(await rowOfAgent()).toEqual(before)
    await platform.check()
    await worker.exchange([...worker.held.values()].map((lease) => worker.report(lease, { output: {} })))
    expect((await platform.run(run.id)).state).toBe('succeeded')
    expect(await use().owner('select used from agents')).toEqual([{ used: 0 }])
    await platform.check()
  })

  test('whoever only looks keeps nobody from a shard without work, and finds what comes into it', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const look = () =>
      platform.database
        .asSystem('test')
        .write(async (tx) => {
          const now = platform.database.clock.now()
          const counters = new Counters()
          const what = { asked: [shard], woken: [], now, forRunner: null, counters, allOrNone: false }
          const { decided } = await platform.parts.ticker.tick(tx, what)
          const locks = await locksOf(tx)
          // Nothing of it is to last: what was decided is taken back with the transaction.
          throw Object.assign(new Error('looked'), { locks, decided: decided.length })
        })
        .catch((error: Error & { locks: number; decided: number }) => {
          if (error.message !== 'looked') throw error
          return { locks: error.locks, decided: error.decided }
        })
    expect(await look()).toEqual({ locks: 1, decided: 0 })
    expect(await look()).toEqual({ locks: 0, decided: 0 })
    // The only slot is taken by the first, so that the second stays ready.
    await platform.start(chain)
    await platform.start(chain)
    expect((await look()).locks).toBe(1)
    expect(await worker.take()).toHaveLength(1)
    await use().owner('update agents set slots = 2')
    expect(await look()).toEqual({ locks: 1, decided: 1 })
  })
})
