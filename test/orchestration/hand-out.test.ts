import { expect, test } from 'vitest'
import type { Tx } from '../../src/foundation/platform/database/database.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import { Counters } from '../../src/orchestration/coordinator/counters.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import type { TestWorker } from '../support/worker.ts'

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

  test('a run whose shard was asked about ahead does not overtake what waits there', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const [first, second] = [await platform.start(chain), await platform.start(chain)]
    await use().owner('update agents set slots = 2')
    const third = await platform.start(chain)
    const stateOf = async (run: { readonly id: string }) => (await platform.tasks(run.id)).map(({ state }) => state)
    expect(await Promise.all([first, second, third].map(stateOf))).toEqual([['leased'], ['leased'], ['ready']])
    await finish(platform, worker, [first, second, third])
  })

  test('of runs that begin at the same time over two servers, each with its look ahead, no slot is given twice', async () => {
    const servers = [new TestPlatform(use()), new TestPlatform(use())]
    const worker = await servers[0]!.register(3)
    for (const server of servers) await server.start(chain)
    await worker.take()
    const runs = await Promise.all(Array.from({ length: 12 }, (_, n) => servers[n % 2]!.start(chain)))
    expect(await use().owner('select used from agents')).toEqual([{ used: 3 }])
    await servers[0]!.check()
    await finish(servers[0]!, worker, runs)
  })

  test('a budget that admits nothing more holds the tasks of a run that begins, and says so', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(5)
    const bound = `name: bound
budget: { runs: 2 }
steps:
  each: { map: { over: [1, 2, 3, 4], step: { command: [do] } } }
`
    await platform.start(bound)
    const run = await platform.start(bound)
    await use().owner('update agents set slots = 50')
    const third = await platform.start(bound)
    const reasons = (await platform.tasks(third.id)).map(({ state, reason }) => reason ?? state)
    const waits = `budget:run:${third.id}:runs`
    expect(reasons.toSorted()).toEqual([waits, waits, 'leased', 'leased'])
    await platform.check()
    await worker.take()
    await finish(platform, worker, [run, third])
  })
})

/** Works until these runs have ended. */
async function finish(platform: TestPlatform, worker: TestWorker, runs: readonly { readonly id: string }[]) {
  for (let round = 0; round < 40; round++) {
    await worker.exchange([...worker.held.values()].map((lease) => worker.report(lease, { output: {} })))
    const rows = await Promise.all(runs.map(({ id }) => platform.run(id)))
    if (rows.every(({ endedAt }) => endedAt !== null)) break
    await platform.parts.reaper.reap()
  }
  for (const { id } of runs) expect((await platform.run(id)).endedAt).not.toBeNull()
  await platform.check()
}
