import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'
import { wideWorkflow } from './wide.fixture.ts'

const wide = (budget: string, count = 4, timeout = '10s') =>
  wideWorkflow(count, { timeout, more: `budget: { ${budget} }` })

eachDatabase('budgets', (use) => {
  const budgetsOf = (runId: string) =>
    use().owner<{ unit: string; held: number; spent: number; hard_limit: number }>(
      'select unit, held::int, spent::int, hard_limit::int from budgets where scope_id = $1 order by unit',
      [runId],
    )

  async function budget(scope: string, scopeId: string, unit: string, limit: number) {
    await use().owner(
      `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit) values ('default', $1, $2, $3, $4, $5)`,
      [`${scope}:${unit}`, scope, scopeId, unit, limit],
    )
  }

  test('a task beyond the budget waits and says for which, and goes on when somebody gives back', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    // An attempt holds its 10 s and 5 s until its processes are certainly gone.
    const run = await platform.start(wide('wall: 40s', 3))
    const held = await worker.take()
    expect(held).toHaveLength(2)
    const waiting = (await platform.tasks(run.id)).find((task) => task.state === 'waiting')
    expect(waiting?.reason).toBe(`budget:run:${run.id}:wall-ms`)
    expect(await budgetsOf(run.id)).toEqual([{ unit: 'wall-ms', held: 30_000, spent: 0, hard_limit: 40_000 }])
    await platform.check()
    const { assignments } = await worker.finish(held.slice(0, 1), () => ({ output: {}, wallSeconds: 2 }))
    expect(assignments).toHaveLength(1)
    expect(await budgetsOf(run.id)).toEqual([{ unit: 'wall-ms', held: 30_000, spent: 2_000, hard_limit: 40_000 }])
    expect((await platform.work(run.id, () => ({ output: {}, wallSeconds: 1 }))).state).toBe('succeeded')
    expect(await budgetsOf(run.id)).toEqual([{ unit: 'wall-ms', held: 0, spent: 4_000, hard_limit: 40_000 }])
    await platform.check()
  })

  test('attempts are counted, also those that fail; where none is left the task fails and says so', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(wide('runs: 2', 3))
    const held = await worker.take()
    expect(held).toHaveLength(2)
    await worker.finish(held, (lease) => (lease.item === 0 ? { code: 'exit-code', exitCode: 1 } : { output: {} }))
    expect(await worker.take()).toEqual([])
    expect((await platform.tasks(run.id)).map((task) => task.state)).toEqual(['failed', 'succeeded', 'waiting'])
    await platform.parts.reaper.reap()
    const tasks = await platform.tasks(run.id)
    expect(tasks[2]).toMatchObject({ state: 'failed', error: { code: 'budget-exhausted' } })
    expect(tasks[2]!.reason).toBe('of the runs budget of its run, 0 of 2 are left, and an attempt needs 1')
    expect((await platform.run(run.id)).endedAt).not.toBe(null)
    await platform.check()
  })

  test('what is left of a time budget goes to the next task as its timeout, until it is too little for any', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(wide('wall: 20s', 3))
    const timeouts: (number | null)[] = []
    for (let n = 0; n < 2; n++) {
      const [lease] = await worker.take()
      timeouts.push(lease!.spec.timeoutMs)
      await worker.finish([lease!], () => ({ output: {}, wallSeconds: 8 }))
      await platform.check()
      await platform.parts.reaper.reap()
    }
    // 15 s are held for 10 s of work; of the 12 s left, 5 s are for the end; then 4 s are less than 6.
    expect(timeouts).toEqual([10_000, 7_000])
    const tasks = await platform.tasks(run.id)
    expect(tasks.map((task) => task.state).sort()).toEqual(['failed', 'succeeded', 'succeeded'])
    expect(tasks.find((task) => task.state === 'failed')!.error!.code).toBe('budget-exhausted')
    await platform.check()
  })

  test('steps one after another share a time budget without waiting for anybody', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`
name: chain
budget: { wall: 1m }
steps:
  a: { command: [a] }
  b: { needs: a, command: [b] }
  c: { needs: b, command: [c] }
`)
    const timeouts: (number | null)[] = []
    const ended = await platform.work(run.id, (lease) => {
      timeouts.push(lease.spec.timeoutMs)
      return { output: {}, wallSeconds: 10 }
    })
    expect(ended.state).toBe('succeeded')
    expect(timeouts).toEqual([55_000, 45_000, 35_000])
    await platform.check()
  })

  test('processor time is held by the cores, and an unknown use counts in full', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(`
name: cores
budget: { cpu: 10m }
steps:
  a: { command: [a], timeout: 10s, resources: { cpu: 2 } }
  b: { command: [b], timeout: 10s }
`)
    const held = await worker.take()
    expect((await budgetsOf(run.id))[0]!.held).toBe(45_000)
    const reports = held.map((lease) => worker.report(lease, { output: {}, cpuSeconds: 1.5 }))
    const unknown = reports.map((report, n) =>
      n === 0 ? { ...report, usage: { ...report.usage, cpuSeconds: null } } : report,
    )
    await worker.exchange(unknown)
    expect(held[0]!.step).toBe('a')
    expect(await budgetsOf(run.id)).toMatchObject([{ held: 0, spent: 31_500 }])
    await platform.check()
  })

  test('nobody spends more than they held, whatever is reported', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(wide('wall: 30s, cpu: 30s', 2))
    await platform.work(run.id, () => ({ output: {}, wallSeconds: 500, cpuSeconds: 500 }))
    expect((await budgetsOf(run.id)).map((row) => row.spent)).toEqual([30_000, 30_000])
    await platform.check()
  })

  test('the budgets of tenant, workflow and run bind together, also those of a calling run', async () => {
    await budget('tenant', 'default', 'runs', 5)
    await budget('workflow', 'inner', 'runs', 2)
    const inner = 'name: inner\nsteps:\n  x: { command: [x] }\n  y: { command: [y] }\n  z: { command: [z] }\n'
    const platform = new TestPlatform(use(), { definitions: { inner } })
    const worker = await platform.register()
    const run = await platform.start(
      'name: outer\nbudget: { runs: 4 }\nsteps:\n  call: { workflow: inner }\n  own: { command: [own] }\n',
    )
    const held = await worker.take()
    expect(held.map((lease) => lease.step).sort()).toEqual(['own', 'x', 'y'])
    expect(await budgetsOf(run.id)).toMatchObject([{ unit: 'runs', held: 3 }])
    await worker.finish(held, () => ({ output: {} }))
    await platform.parts.reaper.reap()
    const ended = await platform.run(run.id)
    expect(ended.state).toBe('failed')
    expect(ended.error?.message).toContain('of the runs budget of its workflow, 0 of 2 are left')
    await platform.check()
  })

  test('pools that share a budget do not take it twice', async () => {
    const platform = new TestPlatform(use())
    const workers = [await platform.worker({ pool: 'p' }), await platform.worker({ pool: 'q' })]
    const run = await platform.start(`
name: shared
budget: { runs: 3 }
steps:
  a: { command: [a], pool: p }
  b: { command: [b], pool: p }
  c: { command: [c], pool: q }
  d: { command: [d], pool: q }
`)
    const held = [...(await workers[0]!.take()), ...(await workers[1]!.take())]
    expect(held.map((lease) => lease.step).sort()).toHaveLength(3)
    expect(await budgetsOf(run.id)).toMatchObject([{ held: 3, spent: 0 }])
    await platform.check()
  })

  test('tasks that a budget refuses do not hold up those behind them', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const poor = await platform.start(wide('runs: 1', 30))
    const rich = await platform.start(wide('runs: 1', 1))
    const [first] = await worker.take()
    expect(first!.runId).toBe(poor.id)
    const { assignments } = await worker.finish([first!], () => ({ output: {} }))
    expect(assignments.map((lease) => lease.runId)).toEqual([rich.id])
    await platform.check()
  })

  test('a budget that was raised admits those who waited for it', async () => {
    await budget('tenant', 'default', 'wall-ms', 20_000)
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(wide('runs: 9', 2))
    const held = await worker.take()
    expect(held).toHaveLength(1)
    await use().owner('update budgets set hard_limit = 100000 where scope = $1', ['tenant'])
    await worker.finish(held, () => ({ output: {}, wallSeconds: 15 }))
    await platform.parts.reaper.reap()
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    expect((await platform.tasks(run.id)).map((task) => task.state)).toEqual(['succeeded', 'succeeded'])
    await platform.check()
  })

  test('no budget is ever overshot, whatever tasks use and however they are exchanged', async () => {
    const platform = new TestPlatform(use())
    const workers = [
      await platform.worker({ slots: 3 }),
      await platform.worker({ slots: 2 }),
      await platform.worker({ slots: 1 }),
    ]
    const overshoot = 'select id from budgets where held + spent > hard_limit or held < 0'
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          wall: fc.integer({ min: 20, max: 90 }),
          runs: fc.integer({ min: 1, max: 8 }),
          count: fc.integer({ min: 1, max: 8 }),
        }),
        fc.infiniteStream(fc.record({ wallSeconds: fc.float({ min: 0, max: 30, noNaN: true }), fails: fc.boolean() })),
        async ({ wall, runs, count }, uses) => {
          const run = await platform.start(wide(`wall: ${wall}s, runs: ${runs}`, count))
          for (let round = 0; round < 40 && (await platform.run(run.id)).endedAt === null; round++) {
            await Promise.all(
              workers.map((worker) =>
                worker.finish([...worker.held.values()].slice(0, 2), () => {
                  const { wallSeconds, fails } = uses.next().value
                  return fails ? { code: 'exit-code', exitCode: 1 } : { output: {}, wallSeconds }
                }),
              ),
            )
            expect(await use().owner(overshoot)).toEqual([])
            if (workers.every((worker) => worker.held.size === 0)) await platform.parts.reaper.reap()
          }
          expect((await platform.run(run.id)).endedAt).not.toBe(null)
        },
      ),
      { numRuns: use().kind === 'pglite' ? 2 : 6, interruptAfterTimeLimit: 15_000 },
    )
    await platform.check()
  })
})
