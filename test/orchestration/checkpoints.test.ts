import { expect, test } from 'vitest'
import { listCheckpoints } from '../../src/orchestration/checkpoints/checkpoints-store.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const chain = `
name: chain
steps:
  a: { command: [a], outputs: { v: json } }
  b: { needs: a, command: [b, "\${{ steps.a.outputs.v }}"], outputs: { v: json } }
  c: { needs: b, command: [c, "\${{ steps.b.outputs.v }}"], outputs: { v: json } }
  d: { command: [d], outputs: { v: json } }
finally:
  tidy: { command: [tidy] }
outputs:
  all: "\${{ steps.a.outputs.v }} \${{ steps.b.outputs.v }} \${{ steps.c.outputs.v }}"
`

eachDatabase('checkpoints and retries of runs', (use) => {
  /** Works on a run, writes down what was done, and lets the steps named fail. */
  async function work(platform: TestPlatform, runId: string, fails: readonly string[] = []) {
    const done: string[] = []
    const run = await platform.work(runId, (lease) => {
      done.push(lease.spec.kind === 'command' ? lease.spec.argv.join(' ') : lease.step)
      return fails.includes(lease.step)
        ? { code: 'exit-code', exitCode: 1 }
        : { output: { v: lease.step.toUpperCase() } }
    })
    return { run, done: done.sort() }
  }

  async function begun(platform: TestPlatform) {
    const worker = await platform.register()
    const run = await platform.start(chain)
    await worker.finish(await worker.take(), (lease) => ({ output: { v: lease.step.toUpperCase() } }))
    return { run, worker }
  }

  test('a checkpoint keeps what has ended, and a run restored from it does the rest', async () => {
    const platform = new TestPlatform(use())
    const { run } = await begun(platform)
    const row = await platform.parts.checkpoints.make(tenant, { name: 'halfway', runId: run.id })
    expect(row.document.steps.map((step) => `${step.step} ${step.state}`)).toEqual([
      'a succeeded',
      'b running',
      'c pending',
      'd succeeded',
      'tidy pending',
    ])
    await platform.parts.runs.cancel(tenant, run.id, 'lost')
    await work(platform, run.id)
    const restored = await platform.parts.checkpoints.restore(tenant, 'halfway', 'restore', null)
    expect(restored).toMatchObject({ origin: { kind: 'restore', id: row.id }, workflow: 'chain', version: 1 })
    const { run: ended, done } = await work(platform, restored.id)
    expect(done).toEqual(['b A', 'c B', 'tidy'])
    expect(ended).toMatchObject({ state: 'succeeded', outputs: { all: 'A B C' } })
    await platform.check()
  })

  test('a fork does again the step it names and what depends on it', async () => {
    const platform = new TestPlatform(use())
    const { run } = await begun(platform)
    await work(platform, run.id)
    await platform.parts.checkpoints.make(tenant, { name: 'end', runId: run.id })
    const fork = await platform.parts.checkpoints.restore(tenant, 'end', 'fork', 'b')
    const { run: ended, done } = await work(platform, fork.id)
    expect(done).toEqual(['b A', 'c B', 'tidy'])
    expect(ended.origin?.kind).toBe('fork')
    await expect(platform.parts.checkpoints.restore(tenant, 'end', 'fork', 'z')).rejects.toMatchObject({
      code: 'step-unknown',
    })
    await expect(platform.parts.checkpoints.restore(tenant, 'none', 'fork', null)).rejects.toMatchObject({
      code: 'checkpoint-not-found',
    })
    await platform.check()
  })

  test('names are taken once; without a name or a run the newest open run is kept, as often as one likes', async () => {
    const platform = new TestPlatform(use())
    await expect(platform.parts.checkpoints.make(tenant, {})).rejects.toMatchObject({ code: 'checkpoint-no-run' })
    const { run } = await begun(platform)
    await platform.parts.checkpoints.make(tenant, { name: 'x' })
    await expect(platform.parts.checkpoints.make(tenant, { name: 'x' })).rejects.toMatchObject({
      code: 'checkpoint-name-taken',
    })
    await expect(platform.parts.checkpoints.make(tenant, { runId: 'run_none' })).rejects.toMatchObject({
      code: 'checkpoint-no-run',
    })
    const made = [await platform.parts.checkpoints.make(tenant, {}), await platform.parts.checkpoints.make(tenant, {})]
    expect(new Set(made.map((row) => row.name)).size).toBe(2)
    const listed = await use()
      .db.forTenant(tenant)
      .read((tx) => listCheckpoints(tx, tenant, { run: run.id, before: null, limit: 10 }))
    expect(listed).toHaveLength(3)
    await work(platform, run.id)
    await platform.check()
  })

  test('a workflow that asks for it is kept every so often, the newest twenty times, until it ends', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(
      'name: e\ncheckpoints: { every: 5m }\nsteps:\n  a: { command: [a], timeout: 1d }\n',
    )
    const held = await worker.take()
    const count = async () => (await use().owner("select id from checkpoints where reason = 'timer'")).length
    for (const expected of [1, 2, 3]) {
      platform.advance(301_000)
      await platform.fireTimers()
      expect(await count()).toBe(expected)
    }
    for (let n = 0; n < 20; n++) {
      platform.advance(301_000)
      await platform.fireTimers()
    }
    expect(await count()).toBe(20)
    await worker.finish(held, () => ({ output: {} }))
    platform.advance(301_000)
    await platform.fireTimers()
    expect(await count()).toBe(20)
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('before a risky step the run is kept, with all that ended before it', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const text = (more: string) => `
name: risky
${more}
steps:
  a: { command: [a], outputs: { v: json } }
  b: { needs: a, command: [b], risky: true }
`
    const run = await platform.start(text(''))
    await work(platform, run.id, ['b'])
    const [row] = await use().owner<{
      name: string
      document: { steps: { step: string; state: string; outputs: unknown }[] }
    }>("select name, document from checkpoints where reason = 'risky'")
    expect(row!.name).toContain(`${run.id}-before-b-`)
    expect(row!.document.steps.map(({ step, state, outputs }) => [step, state, outputs])).toEqual([
      ['a', 'succeeded', { v: 'A' }],
      ['b', 'pending', {}],
    ])
    const restored = await platform.parts.checkpoints.restore(tenant, row!.name, 'restore', null)
    expect((await work(platform, restored.id)).done).toEqual(['b'])
    await use().owner('delete from checkpoints')
    const careless = await platform.start(text('checkpoints: { beforeRisky: false }'))
    await work(platform, careless.id)
    expect(await use().owner('select id from checkpoints')).toEqual([])
    await platform.check()
  })

  test('a retry does what did not end well, and what depends on it; finally steps are done again', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(chain)
    const first = await work(platform, run.id, ['b'])
    expect(first.run.state).toBe('failed')
    const retry = await platform.retry(first.run)
    expect(retry).toMatchObject({ origin: { kind: 'retry', id: run.id }, labels: { attempt: '2' } })
    const { run: ended, done } = await work(platform, retry.id)
    expect(done).toEqual(['b A', 'c B', 'tidy'])
    expect(ended).toMatchObject({ state: 'succeeded', outputs: { all: 'A B C' } })
    const again = await platform.retry(ended, 'c')
    expect((await work(platform, again.id)).done).toEqual(['c B', 'tidy'])
    expect((await platform.run(again.id)).labels.attempt).toBe('3')
    await platform.check()
  })

  test('a run that is under way, or a step that is not there, is not retried', async () => {
    const platform = new TestPlatform(use())
    const { run } = await begun(platform)
    await expect(platform.retry(run)).rejects.toMatchObject({ code: 'run-not-ended' })
    const { run: ended } = await work(platform, run.id)
    await expect(platform.retry(ended, 'nope')).rejects.toMatchObject({ code: 'step-unknown' })
    await platform.check()
  })

  test('a step skipped by its own condition stays so; one skipped for a need is done', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`
name: skips
steps:
  never: { if: 1 > 2, command: [never] }
  bad: { command: [bad] }
  after: { needs: [bad, never], command: [after] }
`)
    const first = await work(platform, run.id, ['bad'])
    expect(await platform.steps(run.id)).toEqual({ never: 'skipped', bad: 'failed', after: 'skipped' })
    const retry = await platform.retry(first.run)
    expect((await work(platform, retry.id)).done).toEqual(['after', 'bad'])
    expect(await platform.steps(retry.id)).toEqual({ never: 'skipped', bad: 'succeeded', after: 'succeeded' })
    await platform.check()
  })
})
