import { expect, test } from 'vitest'
import { asId, type TenantId } from '../../src/foundation/kernel/ids.ts'
import { explainWaiting } from '../../src/orchestration/coordinator/explain-waiting.ts'
import { bulkOf } from '../../src/orchestration/coordinator/lane-contract.ts'
import type { Assignment, AttemptReport } from '../../src/orchestration/runners/exchange-contract.ts'
import { readUnserved } from '../../src/orchestration/runs/queue-routes.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import { TestWorker } from '../support/worker.ts'

const steps = (leases: readonly Assignment[]) => leases.map((lease) => lease.step).sort()

eachDatabase('where work goes', (use) => {
  test('labels, regions, taints and levels decide, and what finds no agent says why', async () => {
    const platform = new TestPlatform(use())
    const dear = await platform.worker({
      capabilities: ['code:5'],
      labels: { gpu: 'a100', region: 'eu-west', taints: ['dear'] },
    })
    const plain = await platform.worker({ capabilities: ['code:2'] })
    const run = await platform.start(`name: x
steps:
  anywhere: { command: [a] }
  tolerant: { command: [a], tolerations: [dear], affinity: { labels: { gpu: a100 } } }
  regional: { command: [a], tolerations: [dear], region: eu-west }
  expert: { command: [a], tolerations: [dear], capabilities: ['code:3'] }
  away: { command: [a], tolerations: [dear], anti-affinity: { labels: { gpu: a100 } } }
  nowhere: { command: [a], region: mars }
`)
    await dear.take()
    await plain.take()
    expect(steps([...dear.held.values()])).toEqual(['expert', 'regional', 'tolerant'])
    expect(steps([...plain.held.values()])).toEqual(['anywhere', 'away'])
    const rows = await use().owner<{ id: string; pool: string; lane: string }>(
      `select id, pool, lane from tasks where run_id = $1 and state = 'ready'`,
      [run.id],
    )
    const reasons = await platform.database.forTenant(tenant).read((tx) => explainWaiting(tx, tenant, rows))
    expect([...reasons.values()]).toEqual([
      'no agent of the pool default that could do it is in the region mars, or is free of the taint dear',
    ])
    const unserved = await platform.database.forTenant(tenant).read((tx) => readUnserved(tx, tenant, explainWaiting))
    expect(unserved).toEqual([{ pool: 'default', reason: [...reasons.values()][0], count: 1 }])
    await platform.check()
  })

  test('an agent gives out no more than it has, also to steps that say nothing', async () => {
    const platform = new TestPlatform(use())
    const small = await platform.worker({ slots: 10, labels: { resources: { cpu: 2, memory: 2 ** 30 } } })
    await platform.start(`name: x
steps:
  m: { map: { over: [1, 2, 3, 4, 5], step: { command: [a], resources: { cpu: 0.5, memory: 256MB } } } }
  plain: { command: [a] }
`)
    // Four halves of a core, or two and the usual whole one: two cores in any case.
    await small.take()
    const cores = (leases: Iterable<Assignment>) =>
      [...leases].reduce((sum, { spec }) => sum + ('resources' in spec ? spec.resources.cpuCores : 0), 0)
    expect(cores(small.held.values())).toBe(2)
    const [first] = small.held.values()
    await small.finish([first!], () => ({ output: null }))
    expect(cores(small.held.values())).toBeLessThanOrEqual(2)
    expect(small.held.size).toBeGreaterThanOrEqual(2)
    await platform.check()
  })

  test.each([
    [1, [2, 2]],
    [3, [1, 3]],
  ])(
    'what the agents of a runner share is not given out twice, though they are of several tenants: weight %d',
    async (weight, shares) => {
      const tick = { weightOf: (name: string) => (name === 'other' ? weight : 1) }
      const platform = new TestPlatform(use(), { tick })
      const other = asId<TenantId>('other')
      const { parts, database } = platform
      const labels = { 'runner-resources': { cpu: 4 } }
      const agentOf = (of: TenantId) => ({
        ...{ tenant: of, agentId: `${platform.runnerId}/${of}` as never, pool: 'default', kind: 'command' },
        ...{ capabilities: [], labels, slots: 50, weight: 1 },
      })
      const agents = [agentOf(tenant), agentOf(other)]
      const registration = { runnerId: platform.runnerId, host: 'here', pid: process.pid, agents }
      await database.asSystem('test').write((tx) => parts.runners.register(tx, registration, database.clock.now()))
      const text = 'name: x\nsteps:\n  m: { map: { over: [1, 2, 3, 4, 5, 6, 7, 8], step: { command: [a] } } }\n'
      await platform.start(text)
      await platform.start(text, { tenant: other })
      const leased = () =>
        use().owner<{ tenant: string; count: number }>(
          `select tenant_id as tenant, count(*)::int as count from tasks where state in ('leased', 'running') group by 1 order by 1`,
        )
      const exchange = (reports: readonly AttemptReport[], holding: readonly Assignment[]) =>
        parts.exchange.exchange(
          { runnerId: platform.runnerId, reports, progress: [], holding, accept: true },
          new AbortController().signal,
        )
      const { assignments } = await exchange([], [])
      expect((await leased()).map(({ count }) => count)).toEqual(shares)
      const worker = new TestWorker(platform, platform.runnerId, {})
      const [first, ...rest] = assignments
      const reply = await exchange([worker.report(first!, { output: null })], rest)
      expect(reply.assignments).toHaveLength(1)
      expect((await leased()).reduce((sum, { count }) => sum + count, 0)).toBe(4)
    },
  )

  test('work with one key of anti-affinity is on one agent at a time', async () => {
    const platform = new TestPlatform(use())
    const [a, b] = [await platform.worker(), await platform.worker()]
    const run = await platform.start(`name: x
steps:
  m: { map: { over: [1, 2, 3], step: { command: [a], anti-affinity: { key: 'db' } } } }
`)
    await a.take()
    await b.take()
    expect([a.held.size, b.held.size]).toEqual([1, 1])
    const [first] = a.held.values()
    await a.finish([first!], () => ({ output: null }))
    expect([a.held.size, b.held.size]).toEqual([1, 1])
    expect((await platform.tasks(run.id)).map((task) => task.state).sort()).toEqual(['leased', 'leased', 'succeeded'])
  })

  test('a run of a thousand tasks shares with the runs behind it', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker({ slots: 4 })
    const many = (count: number) =>
      `name: x\nsteps:\n  m: { map: { over: ${JSON.stringify(Array.from({ length: count }, (_, n) => n))}, step: { command: [a] } } }\n`
    const flood = await platform.start(many(1_000))
    let small = await platform.start(many(20))
    // Runs are folded into a few lanes; two that share one are served in their order.
    while (bulkOf(small.id, 20) === bulkOf(flood.id, 1_000)) small = await platform.start(many(20))
    const single = await platform.start('name: x\nsteps:\n  s: { command: [a] }\n')
    for (let round = 0; round < 20; round++) {
      await worker.take()
      await worker.finish([...worker.held.values()], () => ({ output: null }))
    }
    expect((await platform.run(single.id)).state).toBe('succeeded')
    expect((await platform.run(small.id)).state).toBe('succeeded')
    expect((await platform.run(flood.id)).state).toBe('running')
    await platform.check()
  })
})
