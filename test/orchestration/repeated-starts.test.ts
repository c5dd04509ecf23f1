import { expect, test } from 'vitest'
import { databaseErrors } from '../../src/foundation/platform/database/database-errors.ts'
import { type RepeatableStart, startOnce } from '../../src/orchestration/runs/run-of-request.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const text = 'name: one\nsteps:\n  a: { command: [a] }\n'
const request: RepeatableStart = { tenant, caller: 'owner', key: 'k', content: { workflow: 'one' } }
const start = {
  what: { text, fileName: 'one.yaml' },
  ...{ inputs: {}, repo: null, priority: null, parallel: null, labels: {} },
}

eachDatabase('requests that come again', (use) => {
  function prepare() {
    const platform = new TestPlatform(use())
    const { runs } = platform.parts
    const once = (content: unknown = request.content) =>
      startOnce(platform.database, { ...request, content }, (id) => runs.start(tenant, start, id))
    const count = async () => (await use().owner('select from runs')).length
    return { platform, runs, once, count }
  }

  test('have one run, one after another and side by side', async () => {
    const { once, count, platform } = prepare()
    const first = await once()
    const again = await Promise.all([once(), once(), once()])
    expect(new Set([first, ...again].map(({ id }) => id)).size).toBe(1)
    const beside = await Promise.all([once('x'), once('x'), once('x')])
    expect(new Set(beside.map(({ id }) => id)).size).toBe(1)
    expect(first.id).toMatch(/^run_[0-9a-z]{26}$/)
    expect(await count()).toBe(2)
    await platform.check()
  })

  test('have one run where the answer to COMMIT was never heard', async () => {
    const { platform, runs, count } = prepare()
    const unheard = async (id: Parameters<typeof runs.start>[2]) => {
      await runs.start(tenant, start, id)
      throw databaseErrors['commit-unknown']('the connection broke')
    }
    const run = await startOnce(platform.database, request, unheard)
    expect(run.state).toBe('running')
    expect(await count()).toBe(1)
    const never = () => Promise.reject(databaseErrors['commit-unknown']('the connection broke'))
    await expect(startOnce(platform.database, { ...request, key: 'other' }, never)).rejects.toMatchObject({
      code: 'commit-unknown',
    })
  })

  test('have a run of their own when the key is used again a day later', async () => {
    const { platform, once, count } = prepare()
    const first = await once()
    platform.advance(86_400_001)
    const second = await once()
    expect(second.id).not.toBe(first.id)
    expect((await once()).id).toBe(second.id)
    expect(await count()).toBe(2)
  })
})
