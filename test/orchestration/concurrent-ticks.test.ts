import { expect, test, vi } from 'vitest'
import { systemIds, type TenantId } from '../../src/foundation/kernel/ids.ts'
import { lockShards } from '../../src/orchestration/coordinator/sql/lock-shards.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'

const wide = (name: string, count: number, budget: string) => `
name: ${name}
${budget}
steps:
  each: { map: { over: [${Array.from({ length: count }, (_, n) => n).join(', ')}], step: { command: [do] } } }
`

eachDatabase('ticks of one shard at the same time', (use) => {
  test('give no task twice, no agent more than its slots, no budget more than its limit', async () => {
    const platform = new TestPlatform(use())
    const workers = await Promise.all([3, 5, 40].map((slots) => platform.worker({ slots }, systemIds.next('rnr'))))
    const runs = [
      await platform.start(wide('free', 150, '')),
      await platform.start(wide('bound', 60, 'budget: { runs: 25 }')),
    ]
    const fences = new Set<number>()
    let given = 0
    for (let round = 0; round < 60; round++) {
      const calls = workers.flatMap((worker) => {
        const reports = [...worker.held.values()].map((lease) => worker.report(lease, { output: {} }))
        for (const report of reports) {
          if (fences.has(report.fence)) continue
          fences.add(report.fence)
          given += 1
        }
        // One call reports, three ask for more beside it.
        return [worker.exchange(reports), worker.exchange(), worker.exchange(), worker.exchange()]
      })
      await Promise.all(calls)
      await platform.check()
      if ((await Promise.all(runs.map((run) => platform.run(run.id)))).every((run) => run.endedAt !== null)) break
      await platform.parts.reaper.reap()
    }
    expect(platform.errors).toEqual([])
    expect((await platform.run(runs[0]!.id)).state).toBe('succeeded')
    expect(given).toBe(150 + 25)
    const bound = await platform.tasks(runs[1]!.id)
    expect(bound.filter((task) => task.state === 'succeeded')).toHaveLength(25)
    expect(bound.filter((task) => task.state === 'failed')).toHaveLength(35)
  })

  test('of two servers give no agent more than its slots, and no call is refused', async () => {
    const servers = [new TestPlatform(use()), new TestPlatform(use())]
    const workers = await Promise.all(
      servers.flatMap((server) => [2, 3].map((slots) => server.worker({ slots }, systemIds.next('rnr')))),
    )
    const run = await servers[0]!.start(wide('free', 150, ''))
    for (let round = 0; round < 120 && (await servers[0]!.run(run.id)).endedAt === null; round++) {
      // Each call rejects where its server's decision was not made again.
      await Promise.all(
        workers.flatMap((worker) => {
          const reports = [...worker.held.values()].map((lease) => worker.report(lease, { output: {} }))
          return [worker.exchange(reports), worker.exchange(), worker.exchange()]
        }),
      )
      await servers[0]!.check()
    }
    expect(servers.flatMap((server) => server.errors)).toEqual([])
    expect((await servers[0]!.run(run.id)).state).toBe('succeeded')
  })
})

eachDatabase(
  'a shard that somebody else is ticking',
  (use) => {
    test('is looked at again: what became ready meanwhile, and what was given back, waits for nobody', async () => {
      const { db } = use()
      const platform = new TestPlatform(use())
      const worker = await platform.worker({ slots: 1 })
      const shard = { tenant: 'default' as TenantId, pool: 'default' }
      const hold = async () => {
        const held = Promise.withResolvers<void>()
        const release = Promise.withResolvers<void>()
        const ended = db.asSystem('test').write(async (tx) => {
          await lockShards(tx, [shard])
          held.resolve()
          await release.promise
        })
        await held.promise
        return async () => {
          release.resolve()
          await ended
        }
      }
      const leased = async (runId: string) =>
        (await platform.tasks(runId)).filter((task) => task.state === 'leased').length

      const releaseFirst = await hold()
      const run = await platform.start(wide('pair', 2, ''))
      expect(await leased(run.id)).toBe(0)
      await releaseFirst()
      await vi.waitFor(async () => expect(await leased(run.id)).toBe(1), { timeout: 20_000 })

      await worker.exchange()
      const [lease] = worker.held.values()
      const releaseSecond = await hold()
      await worker.exchange([worker.report(lease!, { output: {} })])
      expect(await leased(run.id)).toBe(0)
      await releaseSecond()
      await vi.waitFor(async () => expect(await leased(run.id)).toBe(1), { timeout: 20_000 })
      expect(platform.errors).toEqual([])
    })
  },
  { kinds: ['postgres'] },
)
