import { expect, test } from 'vitest'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const chain = `
name: chain
steps:
  a: { command: [a] }
  b: { needs: a, command: [b] }
finally:
  tidy: { command: [tidy, "\${{ run.state }}"] }
`

eachDatabase('cancel and pause', (use) => {
  const cancel = (platform: TestPlatform, id: string) => platform.parts.runs.cancel(tenant, id, 'no longer needed')
  const pause = (platform: TestPlatform, id: string) => platform.parts.runs.pause(tenant, id)
  const resume = (platform: TestPlatform, id: string) => platform.parts.runs.resume(tenant, id)

  test('tasks that nobody works on end at once, and the run after its finally steps', async () => {
    const platform = new TestPlatform(use())
    const run = await platform.start(chain)
    await cancel(platform, run.id)
    expect(await platform.steps(run.id)).toEqual({ a: 'cancelled', b: 'skipped', tidy: 'running' })
    await platform.register()
    const states: string[] = []
    const ended = await platform.work(run.id, (lease) => {
      states.push(lease.spec.kind === 'command' ? lease.spec.argv.join(' ') : '')
      return { output: {} }
    })
    expect(ended).toMatchObject({ state: 'cancelled', error: { code: 'cancelled', message: 'no longer needed' } })
    expect(states).toEqual(['tidy cancelled'])
    await expect(cancel(platform, run.id)).rejects.toMatchObject({ code: 'illegal-transition' })
    await platform.check()
  })

  test.each(['leased', 'running'])('a %s task is ended by its runner first', async (state) => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(chain)
    const held = await worker.take()
    if (state === 'running') await worker.exchange([], { progress: held.map((lease) => worker.progressOf(lease)) })
    await cancel(platform, run.id)
    expect(await platform.tasks(run.id)).toMatchObject([{ state }])
    const { cancels } = await worker.exchange()
    expect(cancels).toEqual([{ taskId: held[0]!.taskId, fence: held[0]!.fence, reason: 'no longer needed' }])
    expect(
      (await platform.work(run.id, (lease) => (lease.step === 'a' ? { cancelled: true } : { output: {} }))).state,
    ).toBe('cancelled')
    expect(await platform.tasks(run.id)).toMatchObject([
      { name: 'a', state: 'cancelled' },
      { name: 'tidy', state: 'succeeded' },
    ])
    await platform.check()
  })

  test.each([
    ['succeeds', { output: {} }],
    ['fails', { code: 'exit-code', exitCode: 1 }],
    ['times out', { code: 'timeout' }],
  ] as const)('a task that %s after it was to be cancelled is cancelled, and not tried again', async (_, answer) => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start('name: r\nsteps:\n  a: { command: [a], retry: { attempts: 5 } }\n')
    const held = await worker.take()
    await cancel(platform, run.id)
    await worker.finish(held, () => answer)
    expect((await platform.run(run.id)).state).toBe('cancelled')
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'cancelled', reason: 'no longer needed' }])
    await platform.check()
  })

  test('a request to cancel that meets the end of the last task ends the run in either way, and leaves nothing open', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const seen = new Set<string>()
    for (let round = 0; round < (use().kind === 'pglite' ? 3 : 12); round++) {
      const run = await platform.start('name: race\nsteps:\n  a: { command: [a] }\n  b: { needs: a, command: [b] }\n')
      const held = await worker.take()
      await Promise.all([cancel(platform, run.id), worker.finish(held, () => ({ output: {} }))])
      const ended = await platform.work(run.id, () => ({ output: {} }))
      expect(ended.state).toBe('cancelled')
      seen.add((await platform.steps(run.id)).a!)
    }
    for (const state of seen) expect(['succeeded', 'cancelled']).toContain(state)
    await platform.check()
  })

  test('every kind of waiting ends with the run', async () => {
    const platform = new TestPlatform(use(), {
      definitions: { inner: 'name: inner\nsteps:\n  x: { command: [x] }\n  y: { approval: { message: m } }\n' },
    })
    const worker = await platform.register()
    const run = await platform.start(`
name: waits
steps:
  timer: { wait: { for: 1h } }
  event: { wait: { event: thing.happened }, timeout: 1h }
  ask: { approval: { message: m, deadline: 1h } }
  call: { workflow: inner, timeout: 1h }
  slot: { command: [slot], concurrency: { key: k } }
  queued: { command: [queued], concurrency: { key: k } }
  again: { command: [again], retry: { attempts: 2 } }
`)
    const held = await worker.take()
    await worker.finish(
      held.filter((lease) => lease.step === 'again'),
      () => ({ code: 'exit-code', exitCode: 1 }),
    )
    const reasons = (await platform.tasks(run.id)).map((task) => `${task.name} ${task.reason ?? task.state}`)
    expect(reasons).toEqual([
      'again back-off',
      'ask approval',
      'call run',
      'event event',
      'queued concurrency:key:k',
      'slot leased',
      'timer timer',
    ])
    await platform.check()
    await cancel(platform, run.id)
    await platform.work(run.id, () => ({ cancelled: true }))
    expect((await platform.run(run.id)).state).toBe('cancelled')
    const inner = await use().owner<{ state: string }>("select state from runs where workflow = 'inner'")
    expect(inner).toEqual([{ state: 'cancelled' }])
    for (const table of ['timers', 'event_waits']) expect(await use().owner(`select * from ${table}`)).toEqual([])
    await platform.check()
  })

  test('a second request ends the finally steps too', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(chain)
    await cancel(platform, run.id)
    await worker.finish(await worker.take(), () => ({ cancelled: true }))
    const held = await worker.take()
    expect(held.map((lease) => lease.step)).toEqual(['tidy'])
    await cancel(platform, run.id)
    const { cancels } = await worker.exchange()
    expect(cancels).toHaveLength(1)
    await worker.finish(held, () => ({ cancelled: true }))
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await platform.check()
  })

  test('a paused run starts nothing, finishes what is under way, and goes on when it is resumed', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(1)
    const run = await platform.start(
      'name: p\nsteps:\n  a: { command: [a] }\n  b: { command: [b] }\n  c: { needs: a, command: [c] }\n',
    )
    const held = await worker.take()
    await pause(platform, run.id)
    await expect(pause(platform, run.id)).rejects.toMatchObject({ code: 'illegal-transition' })
    await worker.finish(held, () => ({ output: {} }))
    expect(await worker.take()).toEqual([])
    expect((await platform.tasks(run.id)).map((task) => `${task.name} ${task.state} ${task.reason}`)).toEqual([
      'a succeeded null',
      `b waiting paused:${run.id}`,
    ])
    await platform.check()
    await resume(platform, run.id)
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('nothing that happens meanwhile starts a task of a paused run', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(10)
    const other = await platform.start('name: o\nsteps:\n  x: { command: [x], concurrency: { key: k } }\n')
    const run = await platform.start(`
name: p
budget: { runs: 3 }
steps:
  again: { command: [again], retry: { attempts: 2 } }
  lost: { command: [lost] }
  money: { command: [money] }
  queued: { command: [queued], concurrency: { key: k } }
  ask: { approval: { message: m } }
  then: { needs: ask, command: [then] }
`)
    const held = await worker.take()
    const one = (step: string) => held.filter((lease) => lease.step === step)
    expect(held.map((lease) => lease.step).sort()).toEqual(['again', 'lost', 'money', 'x'])
    await worker.finish(one('again'), () => ({ code: 'exit-code', exitCode: 1 }))
    await pause(platform, run.id)
    platform.advance(10_000)
    await platform.fireTimers()
    await worker.finish([...one('x'), ...one('money')], () => ({ output: {} }))
    const [approval] = await use().owner<{ id: string }>('select id from approvals')
    await platform.parts.approvals.answer(tenant, approval!.id, 'approve', { by: 'me', comment: null })
    await platform.parts.reaper.giveUp([worker.runnerId])
    const second = await platform.worker()
    expect(await second.take()).toEqual([])
    const tasks = Object.fromEntries(
      (await platform.tasks(run.id)).map((task) => [task.name, `${task.state} ${task.reason}`]),
    )
    expect(tasks).toEqual({
      again: `waiting paused:${run.id}`,
      lost: `waiting paused:${run.id}`,
      money: 'succeeded null',
      queued: `waiting paused-queue:${run.id}`,
      ask: 'succeeded null',
    })
    await platform.check()
    expect((await platform.run(other.id)).state).toBe('succeeded')
    await resume(platform, run.id)
    await second.workOn(run.id, () => ({ output: {} }))
    await platform.parts.reaper.reap()
    expect((await platform.run(run.id)).endedAt).not.toBe(null)
    await platform.check()
  })

  test('a paused run can be cancelled', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(chain)
    await pause(platform, run.id)
    await cancel(platform, run.id)
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('cancelled')
    await platform.check()
  })
})
