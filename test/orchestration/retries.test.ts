import { expect, test } from 'vitest'
import { seededRandom } from '../../src/foundation/kernel/random.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'

const flaky = (retry: string, more = '') => `
name: flaky
steps:
  a: { command: [a], retry: { ${retry} }${more} }
`
const noJitter = 'backoff: { initial: 10s, factor: 3, max: 60s, jitter: 0 }'

eachDatabase('retries and timeouts', (use) => {
  test('attempts follow each other after growing pauses, and the last failure is final', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(flaky(`attempts: 4, ${noJitter}`))
    const pauses: number[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [lease] = await worker.take()
      expect(lease!.attempt).toBe(attempt)
      const before = platform.database.clock.now().getTime()
      await worker.finish([lease!], () => ({ code: 'exit-code', exitCode: 1 }))
      expect(await platform.tasks(run.id)).toMatchObject([{ state: 'waiting', reason: 'back-off' }])
      const [timer] = await use().owner<{ id: string; due_at: Date }>('select id, due_at from timers')
      const pause = Math.round((timer!.due_at.getTime() - before) / 1_000)
      pauses.push(pause)
      platform.advance((pause - 2) * 1_000)
      await platform.fireTimers()
      expect(await worker.take()).toEqual([])
      platform.advance(3_000)
      await platform.fireTimers()
    }
    expect(pauses).toEqual([10, 30, 60])
    const ended = await platform.work(run.id, () => ({ code: 'exit-code', exitCode: 7 }))
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'exit-code' } })
    const attempts = await use().owner<{ outcome: string; attempt: number }>(
      'select attempt, outcome from attempts order by fence',
    )
    expect(attempts.map((row) => `${row.attempt} ${row.outcome}`)).toEqual([
      '1 failed',
      '2 failed',
      '3 failed',
      '4 failed',
    ])
    await platform.check()
  })

  test('a failure that cannot pass is not tried again; one that is listed is', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const missing = await platform.start(flaky('attempts: 5'))
    expect((await platform.work(missing.id, () => ({ code: 'command-not-found' }))).state).toBe('failed')
    const listed = await platform.start(flaky('attempts: 5, on: [75]'))
    await platform.work(listed.id, () => ({ code: 'exit-code', exitCode: 75 }))
    expect(await platform.tasks(listed.id)).toMatchObject([{ state: 'waiting', reason: 'back-off' }])
    platform.advance(10_000)
    await platform.fireTimers()
    expect((await platform.work(listed.id, () => ({ code: 'exit-code', exitCode: 1 }))).state).toBe('failed')
    expect(await platform.tasks(listed.id)).toMatchObject([{ attempt: 2 }])
    await platform.check()
  })

  test('the pause is shortened by a random share, no more than the jitter', async () => {
    const platform = new TestPlatform(use(), { random: seededRandom(7) })
    const worker = await platform.register(20)
    await platform.start(`
name: many
steps:
  each: { map: { over: [1, 2, 3, 4, 5, 6, 7, 8], step: { command: [a], retry: { attempts: 2, backoff: { initial: 100s, jitter: 0.5 } } } } }
`)
    const before = platform.database.clock.now().getTime()
    await worker.finish(await worker.take(), () => ({ code: 'signal' }))
    const timers = await use().owner<{ due_at: Date }>('select due_at from timers')
    const pauses = timers.map((timer) => (timer.due_at.getTime() - before) / 1_000)
    expect(pauses).toHaveLength(8)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(50)
    expect(Math.max(...pauses)).toBeLessThan(102)
    expect(new Set(pauses.map((pause) => Math.round(pause))).size).toBeGreaterThan(4)
    await platform.check()
  })

  test('a success after failures counts, and its error is forgotten', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(
      `${flaky('attempts: 2', ', outputs: { n: json }')}outputs:\n  n: \${{ steps.a.outputs.n }}\n`,
    )
    await platform.work(run.id, () => ({ code: 'timeout' }))
    platform.advance(10_000)
    await platform.fireTimers()
    const ended = await platform.work(run.id, () => ({ output: { n: 3 } }))
    expect(ended).toMatchObject({ state: 'succeeded', outputs: { n: 3 }, error: null })
    expect(await platform.tasks(run.id)).toMatchObject([{ error: null, attempt: 2 }])
    await platform.check()
  })

  test('an attempt that nobody ends is ended by the backstop of its lease, and tried again if it may be', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(flaky('attempts: 2', ', timeout: 10s'))
    const [lease] = await worker.take()
    platform.advance(39_000)
    await worker.exchange()
    await platform.parts.reaper.reap()
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'leased' }])
    // Both looks come after a gap of the clock, in which nobody is blamed for silence.
    platform.advance(2_000)
    await worker.exchange()
    await platform.parts.reaper.reap()
    platform.advance(5_000)
    await worker.exchange()
    await platform.parts.reaper.reap()
    expect(await platform.tasks(run.id)).toMatchObject([
      { state: 'waiting', reason: 'back-off', error: { code: 'timeout' } },
    ])
    const late = await worker.finish([lease!], () => ({ output: {} }))
    expect(late.assignments).toEqual([])
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'waiting' }])
    platform.advance(10_000)
    await platform.fireTimers()
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('a run that takes too long is ended, and has failed; its finally steps still run', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(`
name: slow
timeout: 1m
steps:
  a: { command: [a] }
  b: { needs: a, command: [b] }
  w: { wait: { for: 1h } }
finally:
  tidy: { command: [tidy] }
`)
    const held = await worker.take()
    platform.advance(61_000)
    await platform.fireTimers()
    const reply = await worker.exchange([])
    expect(reply.cancels.map((cancel) => cancel.fence)).toEqual(held.map((lease) => lease.fence))
    const ended = await platform.work(run.id, (lease) => (lease.step === 'a' ? { cancelled: true } : { output: {} }))
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'timeout' } })
    expect(await platform.steps(run.id)).toEqual({ a: 'cancelled', b: 'skipped', w: 'cancelled', tidy: 'succeeded' })
    await platform.check()
  })

  test('the time of a run does not run while it waits for its turn', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const text = 'name: turn\ntimeout: 1m\nconcurrency: { key: one }\nsteps:\n  a: { command: [a] }\n'
    const first = await platform.start(text)
    const second = await platform.start(text)
    platform.advance(61_000)
    await platform.fireTimers()
    const { state } = await platform.work(first.id, () => ({ cancelled: true }))
    expect(state).toBe('failed')
    platform.advance(30_000)
    await platform.fireTimers()
    expect((await platform.work(second.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })
})
