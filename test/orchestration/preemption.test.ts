import { expect, test } from 'vitest'
import { Preemptor } from '../../src/orchestration/coordinator/preemptor.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'

eachDatabase('work of higher priority', (use) => {
  function preemptorOf(platform: TestPlatform) {
    const woken: string[] = []
    const preemptor = new Preemptor({
      database: platform.database,
      queue: platform.parts.queue,
      onShards: platform.parts.tickShards,
      wakeRunner: (id) => void woken.push(id),
      onError: (error) => void platform.errors.push(error),
    })
    return { preemptor, woken }
  }
  const low = (preemptible: boolean) =>
    `name: low\nsteps:\n  m: { map: { over: [1, 2], step: { command: [a], priority: 2, preemptible: ${preemptible} } } }\n`
  const high = 'name: high\nsteps:\n  s: { command: [b], priority: 9 }\n'

  test('takes a place where the step allows it; the task that lost it is done later, and no slot is lost', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(2)
    const { preemptor, woken } = preemptorOf(platform)
    const first = await platform.start(low(true))
    const before = await worker.take()
    expect(before).toHaveLength(2)
    const urgent = await platform.start(high)
    expect(await preemptor.look()).toBe(1)
    expect(woken).toEqual([worker.runnerId])
    // The runner is told that one lease is no longer its own, and gets the urgent work.
    const held = await worker.take()
    expect(held.map((lease) => lease.step).sort()).toEqual(['m', 's'])
    const tasks = await platform.tasks(first.id)
    const loser = tasks.find((task) => task.state === 'ready')!
    expect(loser).toMatchObject({ losses: 1, error: { code: 'preempted' } })
    expect(await preemptor.look()).toBe(0)
    // A late report of the lost lease changes nothing.
    const lost = before.find((lease) => lease.taskId === loser.id)!
    await platform.exchange([platform.report(lost, { output: 'late' })])
    expect((await platform.tasks(first.id)).map((task) => task.state).sort()).toEqual(['leased', 'ready'])
    expect((await platform.work(urgent.id, () => ({ output: null }))).state).toBe('succeeded')
    expect((await platform.work(first.id, () => ({ output: null }))).state).toBe('succeeded')
    await platform.check()
  })

  test('waits where the step does not allow it', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(2)
    const { preemptor } = preemptorOf(platform)
    await platform.start(low(false))
    await worker.take()
    await platform.start(high)
    expect(await preemptor.look()).toBe(0)
  })

  test('does not take the place of a task again and again', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const { preemptor } = preemptorOf(platform)
    const run = await platform.start('name: low\nsteps:\n  s: { command: [a], priority: 2, preemptible: true }\n')
    let taken = 0
    for (let n = 0; n < 6; n++) {
      await worker.take()
      const urgent = await platform.start(high)
      taken += await preemptor.look()
      await worker.take()
      const mine = [...worker.held.values()].filter((lease) => lease.runId === urgent.id)
      await worker.finish(mine, () => ({ output: null }))
    }
    expect(taken).toBe(3)
    const [task] = await platform.tasks(run.id)
    expect(task).toMatchObject({ losses: 3, state: 'leased' })
    await platform.check()
  })
})
