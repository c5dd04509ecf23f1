import { expect, test } from 'vitest'
import { appendEvents } from '../../src/foundation/runtime/event-log.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const waiting = `
name: waiting
inputs: { pull: { type: number, default: 7 } }
steps:
  merged:
    wait: { event: pull-request.merged, match: event.number == inputs.pull }
  after: { needs: merged, command: [after, "\${{ steps.merged.outputs.event.by }}"] }
`

eachDatabase('waits', (use) => {
  async function happen(platform: TestPlatform, type: string, data: Record<string, string | number>) {
    const { database } = platform
    await database
      .forTenant(tenant)
      .write((tx) =>
        appendEvents(tx, [
          { tenant, type, subject: { kind: 'thing', id: 't', rev: 1 }, runId: null, at: database.clock.now(), data },
        ]),
      )
    await platform.readEvents()
  }

  test('a wait for a time ends when it is over', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(
      'name: w\nsteps:\n  w: { wait: { for: 10m } }\n  after: { needs: w, command: [after] }\n',
    )
    expect((await platform.run(run.id)).state).toBe('waiting')
    platform.advance(500_000)
    await platform.fireTimers()
    expect(await platform.steps(run.id)).toEqual({ w: 'waiting', after: 'pending' })
    platform.advance(101_000)
    await platform.fireTimers()
    expect((await platform.run(run.id)).state).toBe('running')
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('a wait for an event ends with the first that matches, and gives it to those who follow', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    await platform.readEvents()
    const run = await platform.start(waiting)
    await happen(platform, 'pull-request.merged', { number: 6, by: 'bob' })
    await happen(platform, 'pull-request.opened', { number: 7, by: 'cid' })
    expect(await platform.steps(run.id)).toEqual({ merged: 'waiting', after: 'pending' })
    await happen(platform, 'pull-request.merged', { number: 7, by: 'ann' })
    const argv: string[] = []
    const ended = await platform.work(run.id, (lease) => {
      argv.push(lease.spec.kind === 'command' ? lease.spec.argv.join(' ') : '')
      return { output: {} }
    })
    expect(ended.state).toBe('succeeded')
    expect(argv).toEqual(['after ann'])
    expect(await use().owner('select * from event_waits')).toEqual([])
    await platform.check()
  })

  test('what happened before a wait began does not end it, not even what made it begin', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    await platform.readEvents()
    const run = await platform.start(`
name: before
steps:
  a: { command: [a] }
  w: { needs: a, wait: { event: task.succeeded, match: event.step == "a" } }
`)
    await platform.work(run.id, () => ({ output: {} }))
    await platform.readEvents()
    expect(await platform.steps(run.id)).toEqual({ a: 'succeeded', w: 'waiting' })
    await platform.check()
    const other = await platform.start('name: other\nsteps:\n  a: { command: [a] }\n')
    await platform.work(other.id, () => ({ output: {} }))
    await platform.readEvents()
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('a condition that cannot be judged fails its step, and nothing else', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    await platform.readEvents()
    const bad = await platform.start(
      'name: b\nsteps:\n  w: { wait: { event: thing.moved, match: event.distance > 3 } }\n',
    )
    const good = await platform.start('name: g\nsteps:\n  w: { wait: { event: thing.moved } }\n')
    await happen(platform, 'thing.moved', { distance: 'far' })
    expect(await platform.run(bad.id)).toMatchObject({ state: 'failed', error: { code: 'expression-failed' } })
    expect((await platform.run(good.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('an event that does not come ends in a timeout', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    await platform.readEvents()
    const run = await platform.start('name: t\nsteps:\n  w: { wait: { event: never.happens }, timeout: 2d }\n')
    platform.advance(2 * 86_400_000 + 1_000)
    await platform.fireTimers()
    expect(await platform.run(run.id)).toMatchObject({ state: 'failed', error: { code: 'timeout' } })
    await happen(platform, 'never.happens', {})
    await platform.check()
  })
})
