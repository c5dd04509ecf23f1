import { expect, test, vi } from 'vitest'
import { systemIds, type TenantId } from '../../src/foundation/kernel/ids.ts'
import { assignTasks } from '../../src/orchestration/coordinator/sql/assign-tasks.ts'
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
        const plain = { reconcile: false }
        return [
          worker.exchange(reports, plain),
          worker.exchange(),
          worker.exchange([], plain),
          worker.exchange([], plain),
        ]
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
          const plain = { reconcile: false }
          return [worker.exchange(reports, plain), worker.exchange(), worker.exchange([], plain)]
        }),
      )
      await servers[0]!.check()
    }
    expect(servers.flatMap((server) => server.errors)).toEqual([])
    expect((await servers[0]!.run(run.id)).state).toBe('succeeded')
  })

  test('that end a step together, each a part of it, move the run on, whoever is last', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker({ slots: 60 })
    for (let round = 0; round < 5; round++) {
      const run = await platform.start(wide('parts', 60, 'budget: { runs: 100 }'))
      await worker.exchange()
      const reports = [...worker.held.values()].map((lease) => worker.report(lease, { output: {} }))
      expect(reports).toHaveLength(60)
      const plain = { reconcile: false }
      await Promise.all([0, 20, 40].map((from) => worker.exchange(reports.slice(from, from + 20), plain)))
      expect((await platform.run(run.id)).state).toBe('succeeded')
      await platform.check()
    }
    expect(platform.errors).toEqual([])
  })

  test('a lease of a task that changed meanwhile is left out, or loses the whole where nobody could look', async () => {
    const platform = new TestPlatform(use())
    const run = await platform.start(wide('pair', 2, ''))
    const [first, second] = await platform.tasks(run.id)
    const { db } = use()
    const lease = (ids: readonly string[], allOrNone: boolean) =>
      db.asSystem('test').write(
        async (tx) => {
          const to = { tenant: 'default' as TenantId, agentId: 'agt_x', runnerId: 'rnr_x' }
          const decided = ids.map((taskId) => ({ ...to, taskId }))
          const given = await assignTasks(tx, decided, new Date(), 0, null, allOrNone)
          return given.map((task) => task.taskId)
        },
        { retries: 0 },
      )
    const gone = `${first!.id}.gone`
    await expect(lease([first!.id, gone], true)).rejects.toMatchObject({ code: 'write-conflict' })
    await expect(lease([gone], true)).rejects.toMatchObject({ code: 'write-conflict' })
    expect(await lease([gone], false)).toEqual([])
    expect(await lease([first!.id, gone], false)).toEqual([first!.id])
    expect(await lease([second!.id], true)).toEqual([second!.id])
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
