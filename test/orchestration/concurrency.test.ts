import { expect, test } from 'vitest'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'

const one = (name: string, key: string, more = '') => `
name: ${name}
steps:
  only: { command: [${name}], concurrency: { key: ${key} }${more} }
`

eachDatabase('concurrency', (use) => {
  test('holders of one key go one at a time, the oldest first, over runs', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const runs = []
    for (const name of ['a', 'b', 'c']) runs.push(await platform.start(one(name, 'db')))
    const order: string[] = []
    let held = await worker.take()
    while (held.length > 0) {
      expect(held).toHaveLength(1)
      order.push(held[0]!.runId)
      await platform.check()
      held = (await worker.finish(held, () => ({ output: {} }))).assignments
    }
    expect(order).toEqual(runs.map((run) => run.id))
    await platform.check()
  })

  test.each([
    ['fails', { code: 'command-not-found' }],
    ['times out', { code: 'timeout' }],
    ['succeeds', { output: {} }],
    ['is ended', { cancelled: true }],
  ] as const)('a place is free again when its holder %s', async (_, answer) => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    await platform.start(one('a', 'db'))
    const second = await platform.start(one('b', 'db'))
    const held = await worker.take()
    const { assignments } = await worker.finish(held, () => answer)
    expect(assignments.map((lease) => lease.runId)).toEqual([second.id])
    await platform.check()
  })

  test('a task that waits for another attempt keeps its place', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(one('a', 'db', ', retry: { attempts: 2 }'))
    const second = await platform.start(one('b', 'db'))
    await worker.finish(await worker.take(), () => ({ code: 'exit-code', exitCode: 1 }))
    expect(await worker.take()).toEqual([])
    platform.advance(60_000)
    await platform.fireTimers()
    const held = await worker.take()
    expect(held.map((lease) => lease.runId)).toEqual([run.id])
    const { assignments } = await worker.finish(held, () => ({ output: {} }))
    expect(assignments.map((lease) => lease.runId)).toEqual([second.id])
    await platform.check()
  })

  test('a place goes on when its holder, or the one who is next, is cancelled', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const runs = []
    for (const name of ['a', 'b', 'c']) runs.push(await platform.start(one(name, 'db')))
    const held = await worker.take()
    await platform.parts.runs.cancel(runs[1]!.tenant, runs[1]!.id, 'not needed')
    await platform.check()
    await platform.parts.runs.cancel(runs[0]!.tenant, runs[0]!.id, 'not needed')
    const { assignments } = await worker.finish(held, () => ({ cancelled: true }))
    expect(assignments.map((lease) => lease.runId)).toEqual([runs[2]!.id])
    await platform.check()
  })

  const twoKeys = `
name: two-keys
inputs: { a: {}, n: { type: json, default: [1, 2, 3] } }
steps:
  each:
    map:
      over: \${{ inputs.n }}
      parallel: 2
      step: { command: [do], concurrency: { key: "\${{ inputs.a }}", limit: 1 } }
`

  test('a task with several keys takes all or none, and nobody is forgotten', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const runs = []
    for (const a of ['x', 'x', 'y']) runs.push(await platform.start(twoKeys, { inputs: { a } }))
    let held = await worker.take()
    while (held.length > 0) {
      const keys = held.map((lease) => ('concurrency' in lease.spec ? lease.spec.concurrency?.key : null))
      expect(new Set(keys).size).toBe(keys.length)
      await platform.check()
      await worker.finish(held.slice(0, 1), () => ({ output: {} }))
      held = await worker.take()
    }
    for (const run of runs) expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('a run with its own limit has no more under way', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const steps = ['a', 'b', 'c', 'd'].map((name) => `  ${name}: { command: [${name}] }`).join('\n')
    const run = await platform.start(`name: wide\nsteps:\n${steps}\n`, { parallel: 2 })
    const counts: number[] = []
    let held = await worker.take()
    while (held.length > 0) {
      counts.push(held.length)
      held = (await worker.finish(held, () => ({ output: {} }))).assignments
    }
    expect(counts).toEqual([2, 2])
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  const limited = 'name: alone\nconcurrency: { key: deploy }\nsteps:\n  a: { command: [a] }\n'

  test('a workflow with its own limit: the next run begins when the one before has ended', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const runs = [await platform.start(limited), await platform.start(limited), await platform.start(limited)]
    expect(runs.map((run) => run.state)).toEqual(['running', 'pending', 'pending'])
    await platform.check()
    const held = await worker.take()
    expect(held.map((lease) => lease.runId)).toEqual([runs[0]!.id])
    const next = await worker.finish(held, () => ({ output: {} }))
    expect(next.assignments.map((lease) => lease.runId)).toEqual([runs[1]!.id])
    await platform.check()
    const last = await worker.finish(next.assignments, () => ({ code: 'exit-code', exitCode: 1 }))
    expect(last.assignments.map((lease) => lease.runId)).toEqual([runs[2]!.id])
    await worker.finish(last.assignments, () => ({ output: {} }))
    expect(await Promise.all(runs.map(async (run) => (await platform.run(run.id)).state))).toEqual([
      'succeeded',
      'failed',
      'succeeded',
    ])
    await platform.check()
  })

  test('a run that waits for its turn can be cancelled, and can be paused', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const runs = []
    for (let n = 0; n < 4; n++) runs.push(await platform.start(limited))
    const [first, second, third, fourth] = runs as [
      (typeof runs)[0],
      (typeof runs)[0],
      (typeof runs)[0],
      (typeof runs)[0],
    ]
    const { tenant } = first
    expect((await platform.parts.runs.cancel(tenant, second.id, 'no')).state).toBe('cancelled')
    expect((await platform.parts.runs.pause(tenant, third.id)).state).toBe('paused')
    await platform.check()
    expect((await platform.parts.runs.resume(tenant, third.id)).state).toBe('pending')
    expect((await platform.parts.runs.pause(tenant, third.id)).state).toBe('paused')
    const { assignments } = await worker.finish(await worker.take(), () => ({ output: {} }))
    expect(assignments.map((lease) => lease.runId)).toEqual([fourth.id])
    await worker.finish(assignments, () => ({ output: {} }))
    await platform.check()
    expect((await platform.parts.runs.resume(tenant, third.id)).state).toBe('running')
    expect((await platform.work(third.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('a paused run that never began can be cancelled without taking a place', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const first = await platform.start(limited)
    const second = await platform.start(limited)
    await platform.parts.runs.pause(second.tenant, second.id)
    expect((await platform.parts.runs.cancel(second.tenant, second.id, 'no')).state).toBe('cancelled')
    await platform.work(first.id, () => ({ output: {} }))
    await platform.check()
  })
})
