import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LeanVibe } from '../src/client/index.ts'
import { makeTenant, startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'

const text = `name: journey
steps:
  print:
    command: [node, -e, 'console.log("x".repeat(200000))']
    outputs:
      all: stdout
  ask:
    needs: [print]
    approval: { message: 'Shall we?' }
`

describe('a program on a real server', () => {
  let use: TestDatabase
  let api: TestApi

  beforeAll(async () => {
    use = await openTestDatabase('pglite')
    api = await startApi(use.db, { work: true })
  }, 120_000)

  afterAll(async () => {
    await api.close()
    await use.close()
  })

  test('starts a run, follows its events, answers it and reads what it made', { timeout: 120_000 }, async () => {
    const leanvibe = new LeanVibe({ url: api.server.localUrl, key: api.server.token })
    const signal = AbortSignal.timeout(100_000)
    const { id } = await leanvibe.runs.start({ source: { text, fileName: 'journey.yaml' } })
    const ended = leanvibe.runs.wait(id, { signal })
    const types: string[] = []
    for await (const { type } of leanvibe.events({ run: id, from: 'start' }, { signal })) {
      types.push(type)
      if (type.startsWith('approval.') && types.filter((one) => one.startsWith('approval.')).length === 1) {
        const [question] = (await leanvibe.approvals.list({ run: id })).items
        expect(question).toMatchObject({ runId: id, message: 'Shall we?', state: 'pending' })
        await leanvibe.approvals.approve(question!.id, 'go on')
      }
      if (type === 'run.succeeded') break
    }
    expect(await ended).toMatchObject({ id, state: 'succeeded' })
    const [artifact] = await leanvibe.artifacts.list(id)
    expect(artifact!.bytes).toBeGreaterThan(200_000)
    expect((await leanvibe.artifacts.read(artifact!.id)).byteLength).toBe(artifact!.bytes)
    let printed = ''
    for await (const line of leanvibe.runs.logs(id)) printed += line.text
    expect(printed).toContain('x'.repeat(1_000))
    const listed = []
    for await (const run of leanvibe.runs.all({ limit: 1 })) listed.push(run.id)
    expect(listed).toContain(id)
  })

  test('of another tenant sees nothing of it', async () => {
    const { key } = await makeTenant(api, 'elsewhere')
    const leanvibe = new LeanVibe({ url: api.server.localUrl, key, attempts: 1 })
    expect((await leanvibe.runs.list()).items).toEqual([])
    const [run] = (await new LeanVibe({ url: api.server.localUrl, key: api.server.token }).runs.list()).items
    await expect(leanvibe.runs.show(run!.id)).rejects.toMatchObject({ code: 'run-not-found' })
    await expect(leanvibe.runs.cancel(run!.id)).rejects.toMatchObject({ code: 'run-not-found' })
  })
})
