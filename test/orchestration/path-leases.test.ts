import { expect, test } from 'vitest'
import { startConsumer } from '../../src/foundation/runtime/consumer.ts'
import { insertTick } from '../../src/foundation/runtime/ticker.ts'
import type { Assignment } from '../../src/orchestration/runners/exchange-contract.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const flow = (policy = '') => `
name: files
steps:
  one: { command: [one], paths: ['src/auth/**'] }
  two: { command: [two], paths: ['src/**/login.ts'], priority: 10${policy} }
  three: { command: [three], paths: ['docs/**'] }
  four: { command: [four], paths: ['src/auth/login.ts', 'docs/a.md'] }
`

eachDatabase('leases of files', (use) => {
  /** What the process does by itself: it reads which tasks have ended. The first call begins at the end of the log. */
  async function readEnds(platform: TestPlatform): Promise<void> {
    await platform.database.asSystem('test').write((tx) => insertTick(tx, platform.database.clock.now()))
    const loop = startConsumer(platform.database, {
      name: 'task-ends',
      handle: (tx, events) => platform.parts.pathLeases.handle(tx, events, platform.database.clock.now()),
      onError: (error) => platform.errors.push(error),
    })
    await loop.stop()
  }

  async function begin(policy = '') {
    const platform = new TestPlatform(use())
    await platform.register()
    await readEnds(platform)
    const { parts } = platform
    const run = await parts.runs.start(tenant, {
      what: { text: flow(policy), fileName: 'test.yaml' },
      ...{
        inputs: {},
        repo: { path: '/repo', commit: 'c', branch: 'main' },
        priority: null,
        parallel: null,
        labels: {},
      },
    })
    const held: Assignment[] = []
    const fetch = async () => {
      const { assignments } = await platform.exchange([], held)
      held.push(...assignments)
      return assignments.map(({ step }) => step).sort()
    }
    const end = async (step: string) => {
      const index = held.findIndex((one) => one.step === step)
      const [done] = held.splice(index, 1)
      const { assignments } = await platform.exchange([platform.report(done!, { output: {} })], held)
      held.push(...assignments)
      await readEnds(platform)
    }
    return { platform, run, fetch, end }
  }

  test('work on the same files is done one after another, in the order of arrival, and other work beside it', async () => {
    const { platform, run, fetch, end } = await begin()
    expect(await fetch()).toEqual(['one', 'three'])
    await end('one')
    expect(await fetch()).toEqual(['two'])
    await end('three')
    expect(await fetch()).toEqual([])
    await end('two')
    expect(await fetch()).toEqual(['four'])
    await end('four')
    expect((await platform.run(run.id)).state).toBe('succeeded')
    expect(await use().owner('select * from path_claims')).toEqual([])
    expect(await use().owner("select type from events where type like 'paths.%'")).not.toEqual([])
    await platform.check()
  })

  test('where a step only wants to be told, it begins, and the overlap is an event', async () => {
    const { platform, run, fetch, end } = await begin(', onOverlap: warn')
    expect(await fetch()).toEqual(['one', 'three', 'two'])
    const told = await use().owner<{ data: { others: { step: string }[] } }>(
      "select data from events where type = 'paths.overlapping'",
    )
    expect(told.map(({ data }) => data.others.map(({ step }) => step))).toEqual([['one']])
    for (const step of ['one', 'two', 'three']) await end(step)
    expect(await fetch()).toEqual(['four'])
    await end('four')
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })

  test('a cancelled run gives its files back', async () => {
    const { platform, run } = await begin()
    await platform.parts.runs.cancel(tenant, run.id, 'no longer wanted')
    await platform.exchange([], [])
    await readEnds(platform)
    const left = await use().owner<{ step: string }>('select step from path_claims')
    // What is under way keeps them until its process has ended.
    expect(left.map(({ step }) => step).sort()).toEqual(['one', 'three'])
  })
})
