import { expect, test } from 'vitest'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'

const three = 'name: three\nsteps:\n  a: { command: [a] }\n  b: { command: [b] }\n  c: { command: [c] }\n'

eachDatabase('lost runners', (use) => {
  test('the tasks of a runner that is given up go to others, and its late reports change nothing', async () => {
    const platform = new TestPlatform(use())
    const lost = await platform.worker()
    const other = await platform.worker({ slots: 0 })
    const run = await platform.start(three)
    const held = await lost.take()
    expect(held).toHaveLength(3)
    await platform.parts.reaper.giveUp([lost.runnerId])
    expect((await platform.tasks(run.id)).map((task) => `${task.state} ${task.losses}`)).toEqual([
      'ready 1',
      'ready 1',
      'ready 1',
    ])
    await platform.check()
    await use().owner('update agents set slots = 10 where runner_id = $1', [other.runnerId])
    const again = await other.take()
    expect(again.map((lease) => lease.attempt)).toEqual([2, 2, 2])
    for (const lease of again) {
      expect(lease.fence).toBeGreaterThan(Math.max(...held.map((item) => item.fence)))
    }
    const reply = await lost.finish(held, () => ({ output: { from: 'lost' } }))
    expect(reply.assignments).toEqual([])
    expect((await platform.tasks(run.id)).map((task) => task.state)).toEqual(['leased', 'leased', 'leased'])
    const ended = await other.workOn(run.id, () => ({ output: { from: 'other' } }))
    expect(ended.state).toBe('succeeded')
    expect((await platform.tasks(run.id)).map((task) => task.output)).toEqual(Array(3).fill({ from: 'other' }))
    const outcomes = await use().owner<{ outcome: string }>('select outcome from attempts order by fence')
    expect(outcomes.map((row) => row.outcome)).toEqual([...Array(3).fill('lost'), ...Array(3).fill('succeeded')])
    await platform.check()
  })

  test('calls of a runner that comes back, side by side, all find it known', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker()
    const { database, parts } = platform
    for (let round = 0; round < 5; round++) {
      await parts.reaper.giveUp([worker.runnerId])
      const known = await Promise.all(
        Array.from({ length: 4 }, () =>
          database.asSystem('test').write((tx) => parts.runners.heartbeat(tx, worker.runnerId, database.clock.now())),
        ),
      )
      expect(known).toEqual([true, true, true, true])
    }
    const agents = await use().owner<{ state: string }>('select state from agents')
    expect(agents.map(({ state }) => state)).toEqual(['healthy'])
  })

  test('a task that was lost keeps its place in the line; lost again, it waits behind those that were not', async () => {
    const platform = new TestPlatform(use())
    const lost = await platform.worker({ slots: 2 })
    const run = await platform.start(three)
    expect((await lost.take()).map((lease) => lease.step).sort()).toEqual(['a', 'b'])
    await platform.parts.reaper.giveUp([lost.runnerId])
    const second = await platform.worker({ slots: 2 })
    expect((await second.take()).map((lease) => lease.step).sort()).toEqual(['a', 'b'])
    await platform.parts.reaper.giveUp([second.runnerId])
    const next = await platform.worker({ slots: 1 })
    expect((await next.take()).map((lease) => lease.step)).toEqual(['c'])
    expect((await next.workOn(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('a runner that says nothing for too long is given up; what it holds is revoked when it comes back', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker()
    const run = await platform.start(three)
    const held = await worker.take()
    await platform.parts.reaper.reap()
    platform.advance(4_000)
    await platform.parts.reaper.reap()
    expect((await platform.tasks(run.id)).map((task) => task.state)).toEqual(['leased', 'leased', 'leased'])
    platform.advance(3_000)
    await platform.parts.reaper.reap()
    expect((await platform.tasks(run.id)).map((task) => task.state)).toEqual(['ready', 'ready', 'ready'])
    expect(await use().owner('select state from agents')).toEqual([{ state: 'offline' }])
    await platform.check()
    const back = await worker.exchange()
    expect(back.revoked.map((lease) => lease.fence).sort()).toEqual(held.map((lease) => lease.fence).sort())
    expect(await use().owner('select state from agents')).toEqual([{ state: 'healthy' }])
    expect((await worker.workOn(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('after a gap in our own clock nobody is given up before they had time to speak', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker()
    const run = await platform.start(three)
    await worker.take()
    await platform.parts.reaper.reap()
    platform.advance(480_000)
    await platform.parts.reaper.reap()
    expect(await use().owner('select state from runners')).toEqual([{ state: 'active' }])
    platform.advance(4_000)
    await worker.exchange()
    await platform.parts.reaper.reap()
    platform.advance(4_000)
    await platform.parts.reaper.reap()
    expect(await use().owner('select state from runners')).toEqual([{ state: 'active' }])
    expect((await platform.run(run.id)).endedAt).toBe(null)
    await platform.check()
  })

  test('a task whose runners keep dying fails in the end; losses do not count as attempts', async () => {
    const platform = new TestPlatform(use())
    const run = await platform.start('name: p\nsteps:\n  poison: { command: [poison], retry: { attempts: 2 } }\n')
    for (let loss = 1; loss <= 5; loss++) {
      const worker = await platform.worker()
      expect(await worker.take()).toHaveLength(1)
      await platform.parts.reaper.giveUp([worker.runnerId])
      await platform.check()
    }
    const ended = await platform.run(run.id)
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'runner-lost' } })
    expect(ended.error!.message).toContain('lost 5 times')
    await platform.check()
  })

  test('a lost task that was to be cancelled is cancelled', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker()
    const run = await platform.start(three)
    await worker.take()
    await platform.parts.runs.cancel(run.tenant, run.id, 'no')
    await platform.parts.reaper.giveUp([worker.runnerId])
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await platform.check()
  })

  test('a runner that nobody knows is told so', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.worker()
    await use().owner('delete from agents')
    await use().owner('delete from runners')
    await expect(worker.exchange()).rejects.toMatchObject({ code: 'runner-unknown' })
  })
})
