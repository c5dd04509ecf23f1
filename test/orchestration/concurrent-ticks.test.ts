import { expect, test } from 'vitest'
import { systemIds } from '../../src/foundation/kernel/ids.ts'
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
