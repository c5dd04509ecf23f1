import { expect, test } from 'vitest'
import { cancelTaskOfRun, retryTaskOfRun, showRun, startRun } from '../../src/contract.ts'
import { retryTask } from '../../src/orchestration/runs/retry-task.ts'
import type { RunRow } from '../../src/orchestration/runs/run-rows.ts'
import { startApi } from '../support/api.ts'
import { eachDatabase } from '../support/databases.ts'
import { type Answer, TestPlatform, tenant } from '../support/platform.ts'

const diamond = `
name: diamond
steps:
  a: { command: [a] }
  b: { needs: a, command: [b] }
  c: { command: [c] }
finally:
  tidy: { command: [tidy] }
`

const wide = `
name: wide
steps:
  first: { command: [first] }
  each:
    needs: first
    map: { over: [x, y, z], tolerate: 0, step: { command: [do, "\${{ item }}"], outputs: { of: json } } }
  last: { needs: each, command: [last, "\${{ steps.each.outputs.of[0] + '+' + steps.each.outputs.of[1] + '+' + steps.each.outputs.of[2] }}"] }
  beside: { command: [beside] }
`

eachDatabase('one task of a run', (use) => {
  const cancel = (platform: TestPlatform, id: string, task: string) =>
    platform.parts.runs.cancelTask(tenant, id, task, 'not this one')
  const retry = (platform: TestPlatform, source: RunRow, task: string) => {
    const { runs, catalog, graphOf, queue } = platform.parts
    return runs.write(tenant, (tx, now) => retryTask(tx, { source, task, runs, catalog, graphOf, queue }, now))
  }

  test('that nobody works on is cancelled at once; what needs it is skipped, and finally still runs', async () => {
    const platform = new TestPlatform(use())
    const run = await platform.start(diamond)
    await cancel(platform, run.id, 'a')
    expect(await platform.steps(run.id)).toEqual({ a: 'cancelled', b: 'skipped', c: 'running', tidy: 'pending' })
    const [skipped] = await use().owner<{ reason: string }>(`select reason from run_steps where step = 'b'`)
    expect(skipped!.reason).toBe('needs a, which was cancelled')
    await platform.register()
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended).toMatchObject({ state: 'cancelled', error: { message: 'step a: not this one' } })
    expect(await platform.steps(run.id)).toEqual({ a: 'cancelled', b: 'skipped', c: 'succeeded', tidy: 'succeeded' })
    await expect(cancel(platform, run.id, 'c')).rejects.toMatchObject({ code: 'illegal-transition' })
    await expect(cancel(platform, run.id, 'd')).rejects.toMatchObject({ code: 'task-not-found' })
    await expect(cancel(platform, run.id, 'task_other.0.s')).rejects.toMatchObject({ code: 'task-not-found' })
    await platform.check()
  })

  test('that is under way is ended by its runner, and the others go on', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(diamond)
    const held = await worker.take()
    const mine = held.find((lease) => lease.step === 'a')!
    await cancel(platform, run.id, mine.taskId)
    // Asked twice, the first reason counts.
    await platform.parts.runs.cancelTask(tenant, run.id, 'a', 'again')
    const { cancels } = await worker.exchange()
    expect(cancels).toEqual([{ taskId: mine.taskId, fence: mine.fence, reason: 'not this one' }])
    const ended = await platform.work(run.id, (lease) => (lease.step === 'a' ? { cancelled: true } : { output: {} }))
    expect(ended.state).toBe('cancelled')
    expect(await platform.tasks(run.id)).toMatchObject([
      { name: 'a', state: 'cancelled', reason: 'not this one' },
      { name: 'c', state: 'succeeded' },
      { name: 'tidy', state: 'succeeded' },
    ])
    const events = await use().owner<{ type: string }>(
      `select type from events where subject_id = $1 order by subject_rev`,
      [mine.taskId],
    )
    expect(events.map(({ type }) => type)).toEqual(['task.ready', 'task.leased', 'task.cancelled'])
    await platform.check()
  })

  test('that is lost with its runner after it was to be cancelled is not begun again', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start('name: one\nsteps:\n  a: { command: [a], retry: { attempts: 5 } }\n')
    await worker.take()
    await cancel(platform, run.id, 'a')
    await platform.parts.reaper.giveUp([worker.runnerId])
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'cancelled', reason: 'not this one' }])
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await platform.check()
  })

  test('of a map is one item of many; a call of another workflow ends with its run', async () => {
    const inner = 'name: inner\nsteps:\n  x: { command: [x] }\n'
    const platform = new TestPlatform(use(), { definitions: { inner } })
    const worker = await platform.register()
    const run = await platform.start(`
name: outer
steps:
  each: { map: { over: [1, 2, 3], tolerate: 0, step: { command: [do] } } }
  call: { workflow: inner }
  q: { approval: { message: go? } }
`)
    await worker.take()
    await cancel(platform, run.id, 'call')
    await cancel(platform, run.id, 'q')
    await cancel(platform, run.id, 'each[1]')
    await worker.exchange()
    const ended = await platform.work(run.id, (lease) =>
      lease.item === 1 || lease.step === 'x' ? { cancelled: true } : { output: {} },
    )
    expect(ended.state).toBe('cancelled')
    expect(await platform.tasks(run.id)).toMatchObject([
      { name: 'call', state: 'cancelled' },
      { name: 'each[0]', state: 'succeeded' },
      { name: 'each[1]', state: 'cancelled' },
      { name: 'each[2]', state: 'succeeded' },
      { name: 'q', state: 'cancelled' },
    ])
    const runs = await use().owner<{ workflow: string; state: string }>(
      'select workflow, state from runs order by workflow',
    )
    expect(runs).toEqual([
      { workflow: 'inner', state: 'cancelled' },
      { workflow: 'outer', state: 'cancelled' },
    ])
    await platform.check()
  })

  test('whose end meets the request ends once: whoever came first has decided', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const seen = new Set<string>()
    for (let round = 0; round < (use().kind === 'pglite' ? 4 : 24); round++) {
      const run = await platform.start(diamond)
      const held = await worker.take()
      const own = held.filter((lease) => lease.step === 'a')
      const finish = () => worker.finish(own, () => ({ output: { n: round } }))
      const first =
        round % 2 === 0 ? [cancel(platform, run.id, 'a'), finish()] : [finish(), cancel(platform, run.id, 'a')]
      const [one, other] = await Promise.allSettled(first)
      const refused = [one!, other!].filter((result) => result.status === 'rejected')
      const [task] = await platform.tasks(run.id)
      seen.add(task!.state)
      if (task!.state === 'succeeded') {
        expect(refused.map((result) => (result.reason as { code: string }).code)).toEqual(['illegal-transition'])
      } else {
        expect([task!.state, task!.reason, refused]).toEqual(['cancelled', 'not this one', []])
      }
      const ended = await platform.work(run.id, () => ({ output: {} }))
      expect(ended.state).toBe(task!.state === 'succeeded' ? 'succeeded' : 'cancelled')
      await platform.check()
    }
    expect(seen.size).toBeGreaterThan(0)
  })

  test('is done again in a new run, with what depends on it; all else stands as it ended', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const source = await platform.start(diamond)
    const fail = (lease: { step: string }): Answer =>
      lease.step === 'b' || lease.step === 'c' ? { code: 'exit-code', exitCode: 1 } : { output: { from: 1 } }
    await expect(retry(platform, source, 'b')).rejects.toMatchObject({ code: 'run-not-ended' })
    const ended = await platform.work(source.id, fail)
    expect(ended.state).toBe('failed')
    await expect(retry(platform, ended, 'nowhere')).rejects.toMatchObject({ code: 'task-not-found' })
    const begun = await retry(platform, ended, 'b')
    const done: string[] = []
    const again = await platform.work(begun.id, (lease) => {
      done.push(lease.step)
      return { output: {} }
    })
    expect(done).toEqual(['b', 'tidy'])
    expect(await platform.steps(again.id)).toEqual({ a: 'succeeded', b: 'succeeded', c: 'failed', tidy: 'succeeded' })
    // What failed and was not repeated still counts, and says where it failed.
    expect(again).toMatchObject({
      state: 'failed',
      origin: { kind: 'retry', id: source.id },
      error: { message: `step c: failed, taken over from ${source.id}` },
    })
    await platform.check()
  })

  test('of a map is done again alone: the other items stand as they ended, and what follows sees them all', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const source = await platform.start(wide)
    const ended = await platform.work(source.id, (lease) =>
      lease.item === 1 ? { code: 'exit-code', exitCode: 1 } : { output: { of: `${lease.step}${lease.item ?? ''}` } },
    )
    expect(ended.state).toBe('failed')
    expect(await platform.steps(source.id)).toMatchObject({ each: 'failed', last: 'skipped' })
    const begun = await retry(platform, ended, 'each[1]')
    const done: string[] = []
    const again = await platform.work(begun.id, (lease) => {
      done.push(lease.spec.kind === 'command' ? lease.spec.argv.join(' ') : '')
      return { output: { of: 'new' } }
    })
    expect(done).toEqual(['do y', 'last each0+new+each2'])
    expect(again.state).toBe('succeeded')
    expect((await platform.tasks(again.id)).slice(0, 3)).toMatchObject([
      { name: 'each[0]', state: 'succeeded', attempt: 0 },
      { name: 'each[1]', state: 'succeeded', attempt: 1 },
      { name: 'each[2]', state: 'succeeded', attempt: 0 },
    ])
    await platform.check()
  })

  test('of a map with fewer places than items, of which others failed too, is done again alone', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const text = 'name: some\nsteps:\n  each: { map: { over: [1, 2, 3, 4], parallel: 1, step: { command: [do] } } }\n'
    const source = await platform.start(text)
    const ended = await platform.work(source.id, (lease) =>
      lease.item! > 1 ? { code: 'exit-code', exitCode: 1 } : { output: {} },
    )
    const begun = await retry(platform, ended, 'each[2]')
    const done: (number | null)[] = []
    const again = await platform.work(begun.id, (lease) => {
      done.push(lease.item)
      return { output: {} }
    })
    expect(done).toEqual([2])
    expect(again).toMatchObject({ state: 'failed' })
    expect(await platform.tasks(again.id)).toMatchObject([
      { state: 'succeeded' },
      { state: 'succeeded' },
      { state: 'succeeded' },
      { state: 'failed', reason: `failed in ${source.id}, from which it was taken over` },
    ])
    await platform.check()
  })

  test('of a map whose new run waits for its turn is refused, and nothing is left of the attempt', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const text =
      'name: single\nconcurrency: { key: k, limit: 1 }\nsteps:\n  each: { map: { over: [1, 2], step: { command: [do] } } }\n'
    const source = await platform.start(text)
    const ended = await platform.work(source.id, () => ({ code: 'exit-code', exitCode: 1 }))
    await platform.start(text)
    await expect(retry(platform, ended, 'each[0]')).rejects.toMatchObject({ code: 'item-not-alone' })
    expect(await use().owner('select id from runs')).toHaveLength(2)
    await platform.check()
  })
})

eachDatabase(
  'the API of tasks',
  (use) => {
    test('cancels and repeats one, by id and by place, for those who may', async () => {
      const api = await startApi(use().db)
      const { owner, server } = api
      try {
        const source = { text: diamond, fileName: 'diamond.yaml' }
        const run = await owner.call(startRun, { body: { source } })
        const { id } = run
        const body = { reason: 'no more' }
        await owner.call(cancelTaskOfRun, { params: { id, task: 'a' }, body })
        const detail = await owner.call(showRun, { params: { id } })
        const step = detail.steps.find((one) => one.id === 'a')
        expect(step).toMatchObject({ state: 'cancelled', reason: 'no more' })
        await expect(owner.call(cancelTaskOfRun, { params: { id, task: 'a' }, body })).rejects.toThrow('is cancelled')
        await expect(owner.call(retryTaskOfRun, { params: { id, task: 'a' } })).rejects.toThrow('is running')
        const path = `/api/v1/runs/${id}/tasks/c/cancel`
        const stranger = await fetch(new URL(path, server.localUrl), { method: 'POST', body: '{}' })
        expect(stranger.status).toBe(401)
        expect(api.errors).toEqual([])
      } finally {
        await api.close()
      }
    })
  },
  { kinds: ['pglite'] },
)
