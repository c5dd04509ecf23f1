import fc from 'fast-check'
import { expect, test } from 'vitest'
import { agentLimitsOf } from '../../src/app/operations.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import type { TestWorker } from '../support/worker.ts'

const wide = (count: number, more = '') =>
  `name: wide\nsteps:\n  each:\n    map: { over: [${Array.from({ length: count }, (_, n) => n).join(', ')}], step: { command: [a]${more} } }\n`

const wish = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const), tasks: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), worker: fc.nat(1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      worker: fc.nat(1),
      count: fc.integer({ min: 1, max: 6 }),
      fails: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('limit' as const),
      limit: fc.option(fc.integer({ min: 1, max: 9 }), { nil: null }),
    }),
  },
)

eachDatabase('a limit of agents at work', (use) => {
  const atWork = async () => {
    const [row] = await use().owner<{ count: number }>(
      `select count(*)::int as count from tasks where state in ('leased', 'running')`,
    )
    return row!.count
  }

  test('is never exceeded by a new lease, whatever begins, ends, fails and is limited anew', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(wish, { minLength: 4, maxLength: 16 }), async (wishes) => {
        await use().reset()
        const platform = new TestPlatform(use())
        const limits = agentLimitsOf(platform.parts)
        const workers = [await platform.worker({ slots: 7 }), await platform.worker({ slots: 5 })]
        let limit: number | null = null
        for (const one of wishes) {
          const before = await atWork()
          if (one.do === 'start') {
            await platform.start(
              wide(one.tasks, ', retry: { attempts: 2, backoff: { initial: 1s, factor: 1, max: 1s } }'),
            )
          } else if (one.do === 'take') await workers[one.worker]!.take()
          else if (one.do === 'end') await endSome(workers[one.worker]!, one.count, one.fails)
          else {
            limit = one.limit
            await limits.keep(tenant, limit)
          }
          platform.advance(1_500)
          await platform.fireTimers()
          // What was at work when the limit was lowered goes on; nothing joins it.
          if (limit !== null) expect(await atWork()).toBeLessThanOrEqual(Math.max(limit, before))
          expect(await heldOf()).toBe(await counted())
        }
        await limits.keep(tenant, null)
        for (let round = 0; round < 15; round++) {
          for (const worker of workers) await endSome(worker, 12, false)
          platform.advance(1_500)
          await platform.fireTimers()
        }
        expect(await use().owner(`select id, state, reason from tasks where ended_at is null`)).toEqual([])
        await platform.check()
      }),
      { numRuns: use().db.kind === 'pglite' ? 8 : 2 },
    )
  })

  test('holds for tasks that were ready, waiting or at work when it began, and tells why they wait', async () => {
    const platform = new TestPlatform(use())
    const limits = agentLimitsOf(platform.parts)
    const first = await platform.worker({ slots: 4 })
    const run = await platform.start(wide(700))
    expect(await first.take()).toHaveLength(4)
    await limits.keep(tenant, 6)
    const second = await platform.worker({ slots: 50 })
    await second.take()
    expect(await atWork()).toBe(6)
    const waiting = (await platform.tasks(run.id)).filter((task) => task.state === 'waiting')
    expect(waiting).toHaveLength(694)
    expect(new Set(waiting.map((task) => task.reason))).toEqual(new Set([`budget:${limits.budgetOf(tenant)}`]))
    await endSome(first, 3, false)
    expect(await atWork()).toBe(6)
    await limits.keep(tenant, 20)
    await second.take()
    expect(await atWork()).toBe(20)
    await limits.keep(tenant, 2)
    await endSome(second, 10, false)
    expect(await atWork()).toBe(10)
    await limits.keep(tenant, null)
    await second.take()
    expect(await atWork()).toBe(54)
  })

  const heldOf = async () => {
    const [row] = await use().owner<{ held: number }>(`select held::int from budgets where unit = 'agents'`)
    return row?.held ?? 0
  }
  const counted = async () => {
    const [row] = await use().owner<{ count: number }>(
      `select count(*)::int as count from tasks where state in ('leased', 'running')
       and 'tenant:${tenant}:agents' = any (budget_ids)`,
    )
    return row!.count
  }
})

eachDatabase(
  'a limit of agents at work, with several processes',
  (use) => {
    test('is kept at every moment, and all work ends', async () => {
      const platforms = [0, 1, 2].map(() => new TestPlatform(use()))
      const limits = agentLimitsOf(platforms[0]!.parts)
      const runs = await Promise.all(platforms.map((platform) => platform.start(wide(150))))
      await limits.keep(tenant, 7)
      const workers = await Promise.all(platforms.map((platform) => platform.worker({ slots: 20 })))
      let done = false
      let most = 0
      const watching = (async () => {
        while (!done) {
          const [row] = await use().owner<{ count: number }>(
            `select count(*)::int as count from tasks where state in ('leased', 'running')`,
          )
          most = Math.max(most, row!.count)
        }
      })()
      const until = performance.now() + 60_000
      const left = async () =>
        (await use().owner<{ n: number }>(`select count(*)::int as n from tasks where ended_at is null`))[0]!.n
      while ((await left()) > 0) {
        if (performance.now() > until) throw new Error(`${await left()} tasks are left`)
        await Promise.all(workers.map((worker) => endSome(worker, 20, false)))
      }
      done = true
      await watching
      expect(most).toBeGreaterThan(0)
      expect(most).toBeLessThanOrEqual(7)
      for (const run of runs) expect((await platforms[0]!.run(run.id)).state).toBe('succeeded')
      await platforms[0]!.check()
    })
  },
  { kinds: ['postgres'] },
)

async function endSome(worker: TestWorker, count: number, fails: boolean): Promise<void> {
  const held = [...worker.held.values()].slice(0, count)
  await worker.finish(held, () => (fails ? { code: 'exit-code', exitCode: 1, retry: 'later' } : { output: {} }))
}
