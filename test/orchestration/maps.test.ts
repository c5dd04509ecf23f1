import { expect, test } from 'vitest'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'

const mapOf = (rest: string, items = '[1, 2, 3, 4, 5, 6]') => `
name: mapped
inputs:
  items: { type: json, default: ${items} }
steps:
  each:
    map:
      over: \${{ inputs.items }}
      as: it
${rest}
      step:
        command: [do, "\${{ it }}"]
        outputs: { n: json }
  after: { needs: each, command: [after, "\${{ steps.each.outputs.n }}"] }
`

eachDatabase('maps', (use) => {
  test('no more items are under way than the map allows, and all are done', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(10)
    const run = await platform.start(mapOf('      parallel: 2'))
    const seen: number[] = []
    let held = await worker.take()
    while (held.length > 0) {
      const items = held.filter((lease) => lease.step === 'each')
      expect(items.length).toBeLessThanOrEqual(2)
      seen.push(...items.map((lease) => lease.item!))
      held = (await worker.finish(held, (lease) => ({ output: { n: lease.item } }))).assignments
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('outputs are lists in the order of the items, null where an item gave none', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(mapOf('      tolerate: 1'))
    const args: string[] = []
    const ended = await platform.work(run.id, (lease) => {
      if (lease.step === 'after') args.push(lease.spec.kind === 'command' ? lease.spec.argv[1]! : '')
      return lease.item === 2 ? { code: 'exit-code', exitCode: 1 } : { output: { n: (lease.item ?? 0) * 10 } }
    })
    expect(ended.state).toBe('succeeded')
    expect(args).toEqual(['[0,10,null,30,40,50]'])
    await platform.check()
  })

  test.each([
    ['      tolerate: 2', 2, 'succeeded'],
    ['      tolerate: 2', 3, 'failed'],
    ['      tolerate: 50%', 3, 'succeeded'],
    ['      tolerate: 50%', 4, 'failed'],
    ['', 0, 'succeeded'],
    ['', 1, 'failed'],
  ])('with "%s" and %i failed items the step is %s', async (policy, failures, state) => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(mapOf(policy))
    const ended = await platform.work(run.id, (lease) =>
      lease.step === 'each' && lease.item! < failures ? { code: 'exit-code', exitCode: 1 } : { output: { n: 1 } },
    )
    expect(ended.state).toBe(state)
    const steps = await platform.steps(run.id)
    expect(steps).toEqual({ each: state, after: state === 'failed' ? 'skipped' : 'succeeded' })
    if (state === 'failed')
      expect(ended.error?.message).toContain(`${failures} of 6 failed, the first: failed with exit-code`)
    await platform.check()
  })

  test('nothing to go over ends well at once', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(mapOf('      parallel: 1', '[]'))
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended.state).toBe('succeeded')
    expect((await platform.tasks(run.id)).map((task) => task.name)).toEqual(['after'])
    await platform.check()
  })

  test('an item whose own condition is false has no task and no output', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`
name: some
steps:
  each:
    map:
      over: [1, 2, 3, 4]
      as: it
      step: { if: it > 2, command: [do, "\${{ it }}"], outputs: { n: json } }
outputs:
  n: \${{ steps.each.outputs.n }}
`)
    const ended = await platform.work(run.id, (lease) => ({ output: { n: lease.item } }))
    expect(ended.outputs).toEqual({ n: [2, 3] })
    await platform.check()
  })

  test('a map over something that is no list fails its step, and only that', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(mapOf('', '7'))
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended.state).toBe('failed')
    expect(ended.error).toMatchObject({
      code: 'expression-failed',
      message: expect.stringContaining('expected a list'),
    })
    await platform.check()
  })
})
