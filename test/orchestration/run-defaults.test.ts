import { expect, test } from 'vitest'
import { listCheckpoints } from '../../src/orchestration/checkpoints/checkpoints-store.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

eachDatabase('what the configuration says for all runs', (use) => {
  test('a command is told of the end of a run, with its state, before the run counts as ended', async () => {
    const platform = new TestPlatform(use(), { onRunEnd: ['tell', 'everybody'] })
    await platform.register()
    const run = await platform.start('name: one\nsteps:\n  a: { command: [a] }\n')
    const told: string[] = []
    const ended = await platform.work(run.id, ({ spec, step }) => {
      if (step === 'a') return { code: 'exit-code', exitCode: 1 }
      if (spec.kind === 'command') told.push(...spec.argv, spec.env.LEANVIBE_RUN_STATE ?? '')
      return { output: {} }
    })
    expect(told).toEqual(['tell', 'everybody', 'failed'])
    expect(ended.state).toBe('failed')
    expect(ended.error?.message).toContain('step a')
    await platform.check()
  })

  test('a run tells why it failed by the step that was not allowed to', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const text = 'name: two\nsteps:\n  a: { command: [a], allowFailure: true }\n  b: { needs: a, command: [b] }\n'
    const run = await platform.start(text)
    const ended = await platform.work(run.id, () => ({ code: 'exit-code', exitCode: 1 }))
    expect(ended.state).toBe('failed')
    expect(ended.error?.message).toContain('step b')
  })

  test('the command of the workflow itself goes before it', async () => {
    const platform = new TestPlatform(use(), { onRunEnd: ['general'] })
    await platform.register()
    const run = await platform.start('name: one\nsteps:\n  a: { command: [a] }\nonEnd: [special]\n')
    const done: string[] = []
    await platform.work(run.id, ({ spec }) => {
      if (spec.kind === 'command') done.push(...spec.argv)
      return { output: {} }
    })
    expect(done).toEqual(['a', 'special'])
  })

  test('a checkpoint is made every so often of a run whose workflow does not say', async () => {
    const platform = new TestPlatform(use(), { checkpointEveryMs: 60_000 })
    await platform.register()
    const run = await platform.start('name: one\nsteps:\n  a: { command: [a] }\n')
    platform.advance(61_000)
    await platform.fireTimers()
    const made = await platform.database
      .forTenant(tenant)
      .read((tx) => listCheckpoints(tx, tenant, { run: run.id, before: null, limit: 10 }))
    expect(made.map((checkpoint) => checkpoint.reason)).toEqual(['timer'])
  })
})
