import { expect, test } from 'vitest'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const wide = (count: number, more = '') => `
name: wide
steps:
  each: { map: { over: [${Array.from({ length: count }, (_, n) => n).join(', ')}], step: { command: [do]${more} } } }
`
const one = (name: string, more = '') => `name: ${name}\nsteps:\n  a: { command: [a]${more} }\n`

eachDatabase('the exchange', (use) => {
  test('a report that comes twice, alone or in one call, counts once', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(wide(3))
    const held = await worker.take()
    const reports = held.map((lease) =>
      worker.report(lease, lease.item === 2 ? { code: 'exit-code' } : { output: { n: lease.item } }),
    )
    await worker.exchange([...reports, ...reports])
    await worker.exchange(reports)
    await Promise.all([worker.exchange(reports), worker.exchange(reports)])
    expect((await platform.tasks(run.id)).map((task) => task.state)).toEqual(['succeeded', 'succeeded', 'failed'])
    expect(await use().owner('select fence from attempts')).toHaveLength(3)
    await platform.check()
  })

  test('leases of one call are whole, whether they were ready before it or became so by its reports', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(2)
    await platform.start(wide(2, ', concurrency: { key: k }'))
    await platform.start(one('other'))
    const held = await worker.take()
    expect(held).toHaveLength(2)
    // No slot is free for it, so that nobody has told the runner of it; the next item becomes ready with its place.
    const later = await platform.start(one('later'))
    const reports = held.map((lease) => worker.report(lease, { output: {} }))
    await worker.exchange(reports, { reconcile: false })
    const leases = [...worker.held.values()].filter((lease) => !held.some(({ fence }) => fence === lease.fence))
    expect(leases.map(({ runId }) => runId)).toContain(later.id)
    expect(leases).toHaveLength(2)
    expect(leases.map(({ spec }) => spec.kind)).toEqual(['command', 'command'])
    await platform.check()
  })

  test('a failure that is tried again and comes twice in one call counts once', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(one('twice', ', retry: { attempts: 3 }'))
    const report = worker.report((await worker.take())[0]!, { code: 'exit-code', exitCode: 1 })
    await worker.exchange([report, report])
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'waiting', reason: 'back-off', attempt: 1 }])
    await platform.check()
  })

  test('a success and a failure of one lease: the first to come counts', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(one('both'))
    const [lease] = await worker.take()
    await worker.exchange([worker.report(lease!, { code: 'exit-code' }), worker.report(lease!, { output: {} })])
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await worker.exchange([worker.report(lease!, { code: 'exit-code' })])
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('calls of one runner that overlap never give one task two leases', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(10)
    const run = await platform.start(wide(30))
    const fences = new Map<string, Set<number>>()
    for (let round = 0; round < 20 && (await platform.run(run.id)).endedAt === null; round++) {
      const held = [...worker.held.values()]
      const reports = held.map((lease) => worker.report(lease, { output: {} }))
      const half = Math.ceil(reports.length / 2)
      const replies = await Promise.all([
        worker.exchange(reports.slice(0, half), { holding: held.slice(half) }),
        worker.exchange(reports.slice(half), { holding: [] }),
        worker.exchange([], { holding: held }),
      ])
      for (const lease of replies.flatMap((reply) => reply.assignments)) {
        fences.set(lease.taskId, (fences.get(lease.taskId) ?? new Set()).add(lease.fence))
        expect(lease.attempt).toBe(1)
      }
      for (const report of reports) worker.held.delete(report.fence)
    }
    expect([...fences.values()].map((set) => set.size)).toEqual(Array(30).fill(1))
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('a lease whose reply was lost is handed out again, the same', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    await platform.start(one('lost-reply'))
    const [lease] = await worker.take()
    const { assignments } = await worker.exchange([], { holding: [] })
    expect(assignments).toEqual([lease])
    expect((await worker.exchange([], { holding: [lease!] })).assignments).toEqual([])
    await platform.check()
  })

  test('progress makes a leased task running, once, and only under its own fence', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(one('progress'))
    const [lease] = await worker.take()
    const progress = worker.progressOf(lease!)
    await worker.exchange([], { progress: [{ ...progress, fence: progress.fence - 1 }] })
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'leased' }])
    await worker.exchange([], { progress: [progress, progress] })
    await worker.exchange([], { progress: [progress] })
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'running' }])
    const types = await use().owner<{ type: string }>(
      "select type from events where subject_kind = 'task' order by seq",
    )
    expect(types.map((row) => row.type)).toEqual(['task.ready', 'task.leased', 'task.running'])
    await worker.finish([lease!], () => ({ output: {} }))
    await worker.exchange([], { progress: [progress] })
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'succeeded' }])
    await platform.check()
  })

  test('a runner that drains reports, and takes nothing', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const run = await platform.start(wide(2))
    const held = await worker.take()
    const reply = await worker.exchange([worker.report(held[0]!, { output: {} })], { accept: false })
    expect((await platform.tasks(run.id)).filter((task) => task.state === 'succeeded')).toHaveLength(1)
    expect(reply.assignments.length + (await worker.take()).length).toBe(1)
    await platform.check()
  })

  test('each pool has its own agents, and tasks go where their pool is', async () => {
    const platform = new TestPlatform(use())
    const left = await platform.worker({ pool: 'left' })
    const right = await platform.worker({ pool: 'right', slots: 1 })
    const run = await platform.start(`
name: pools
steps:
  a: { command: [a], pool: left }
  b: { command: [b], pool: right }
  c: { command: [c], pool: right }
  d: { needs: [a, b], command: [d], pool: left }
`)
    expect((await left.take()).map((lease) => lease.step)).toEqual(['a'])
    expect((await right.take()).map((lease) => lease.step)).toEqual(['b'])
    const steps: string[] = []
    for (let round = 0; round < 6; round++) {
      for (const [name, worker] of [
        ['left', left],
        ['right', right],
      ] as const) {
        steps.push(...[...worker.held.values()].map((lease) => `${name} ${lease.step}`))
        await worker.finish([...worker.held.values()], () => ({ output: {} }))
      }
    }
    expect((await platform.run(run.id)).state).toBe('succeeded')
    expect([...new Set(steps)].sort()).toEqual(['left a', 'left d', 'right b', 'right c'])
    await platform.check()
  })

  test('a task goes to an agent that can do it, and waits in its lane for one', async () => {
    const platform = new TestPlatform(use())
    const plain = await platform.worker()
    const run = await platform.start(one('able', ', capabilities: [gpu, linux]'))
    expect(await plain.take()).toEqual([])
    const able = await platform.worker({ capabilities: ['linux', 'gpu', 'big'] })
    expect((await able.take()).map((lease) => lease.runId)).toEqual([run.id])
    expect(await plain.take()).toEqual([])
    await able.workOn(run.id, () => ({ output: {} }))
    await platform.check()
  })

  test('the more urgent goes first, the older first among equals', async () => {
    const platform = new TestPlatform(use())
    const runs: string[] = []
    for (const priority of [5, 2, 9, 5]) runs.push((await platform.start(one(`p${priority}`), { priority })).id)
    const worker = await platform.register(1)
    const order: number[] = []
    let held = await worker.take()
    while (held.length > 0) {
      order.push(runs.indexOf(held[0]!.runId))
      await worker.finish(held, () => ({ output: {} }))
      held = await worker.take()
    }
    expect(order).toEqual([2, 0, 3, 1])
    await platform.check()
  })

  test('tenants see and steer their own runs alone, and share nothing but runners', async () => {
    const acme = 'acme' as TenantId
    await use().owner("insert into tenants (id, name) values ('acme', 'Acme')")
    const platform = new TestPlatform(use())
    const ours = await platform.worker({ slots: 4 })
    const theirs = await platform.worker({ tenant: acme, slots: 4 })
    const text =
      'name: same\nconcurrency: { key: k }\nsteps:\n  a: { command: [a], concurrency: { key: k } }\n  ask: { approval: { message: m } }\n'
    const mine = await platform.start(text)
    const other = await platform.start(text, { tenant: acme })
    expect([mine.state, other.state]).toEqual(['running', 'running'])
    expect((await ours.take()).map((lease) => lease.runId)).toEqual([mine.id])
    expect((await theirs.take()).map((lease) => lease.runId)).toEqual([other.id])
    const { runs, approvals, checkpoints } = platform.parts
    for (const steer of [
      () => runs.cancel(tenant, other.id, 'no'),
      () => runs.pause(tenant, other.id),
      () => runs.resume(tenant, other.id),
    ]) {
      await expect(steer()).rejects.toMatchObject({ code: 'run-not-found' })
    }
    const rows = await use().owner<{ id: string; tenant_id: string }>('select id, tenant_id from approvals')
    const foreign = rows.find((row) => row.tenant_id === acme)!
    await expect(approvals.answer(tenant, foreign.id, 'approve', { by: 'x', comment: null })).rejects.toMatchObject({
      code: 'approval-not-found',
    })
    await expect(checkpoints.make(tenant, { runId: other.id })).rejects.toMatchObject({ code: 'checkpoint-no-run' })
    await checkpoints.make(acme, { name: 'theirs' })
    await expect(checkpoints.restore(tenant, 'theirs', 'restore', null)).rejects.toMatchObject({
      code: 'checkpoint-not-found',
    })
    await runs.cancel(acme, other.id, 'no')
    await theirs.finish([...theirs.held.values()], () => ({ cancelled: true }))
    expect((await platform.run(other.id, acme)).state).toBe('cancelled')
    expect((await platform.run(mine.id)).state).toBe('running')
    await platform.check()
  })
})
