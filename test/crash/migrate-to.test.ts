import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Client, createClient } from '../../src/client/index.ts'
import { approve, artifactContent, listApprovals, showRun, startRun } from '../../src/contract.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { type CliResult, documentsOf, runCli, scratchFolder, startCli } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })

const place = scratchFolder('migrate-to')
writeFileSync(join(place.path, 'leanvibe.yaml'), '')
// When the server is killed, one task is done, one at work, one step waits for a person, and one for the clock.
const workflow = `name: long
inputs:
  name: { type: string }
steps:
  done:
    script: |
      printf 'made by %s' "$NAME" > report.txt
      echo kept
    env: { NAME: '\${{ inputs.name }}' }
    outputs: { words: stdout, report: { from: file, path: report.txt } }
  working:
    needs: [done]
    script: until [ -e "$GATE" ]; do sleep 0.05; done
    env: { GATE: '${place.path}/gate' }
  asked: { needs: [done], approval: { message: 'go on?' } }
  timed: { needs: [done], wait: { for: 3s } }
  last:
    needs: [working, asked, timed]
    command: [echo, '\${{ steps.done.outputs.words }}']
    outputs: { words: stdout }
outputs:
  words: \${{ steps.last.outputs.words }}
`
let database: TestDatabase
beforeAll(async () => {
  database = await openTestDatabase('postgres')
  // Whoever has it open would be in the way of the move back.
  await database.db.close()
})
afterAll(async () => {
  await database.close()
  await place.remove()
})

const embedded = { LEANVIBE_DATA: join(place.path, 'first') }
const onServer = () => ({ ...embedded, DATABASE_URL: database.url! })
const back = { LEANVIBE_DATA: join(place.path, 'back') }
type Env = Readonly<Record<string, string>>
const cli = (env: Env, ...args: readonly string[]) => runCli([...args, '--json'], { cwd: place.path, env })
const ok = async (end: Promise<CliResult>) => {
  const { code, stdout, stderr } = await end
  expect(code, stderr).toBe(0)
  return documentsOf(stdout)
}
const codeOf = ({ stderr }: CliResult) =>
  (documentsOf(stderr)[0] as { error?: { code: string } } | undefined)?.error?.code

/** A server at this place while `use` runs; then it is killed, as a crash would. */
async function whileServing<T>(env: Env, use: (client: Client) => Promise<T>): Promise<T> {
  const server = startCli(['serve', '--no-admin-key', '--json'], { cwd: place.path, env, timeoutMs: 120_000 })
  try {
    await expect.poll(server.stdout, { timeout: 60_000 }).toContain('"listening"')
    const [{ url, folder }] = documentsOf(server.stdout()) as [{ url: string; folder: string }]
    return await use(createClient({ url, token: readFileSync(join(folder, 'token'), 'utf8').trim() }))
  } finally {
    server.child.kill('SIGKILL')
    await server.ended
  }
}

async function beginRun(client: Client, name: string): Promise<string> {
  const { id } = await client.call(startRun, {
    body: { source: { text: workflow, fileName: 'long.yaml' }, inputs: { name } },
  })
  const states = async () => {
    const { steps } = await client.call(showRun, { params: { id } })
    return Object.fromEntries(steps.map((step) => [step.id, step.state]))
  }
  await expect
    .poll(states, { timeout: 60_000, interval: 100 })
    .toMatchObject({ done: 'succeeded', working: 'running', asked: expect.stringMatching(/wait|run/) })
  return id
}

const killedAt = (env: Env, point: string, to: string) =>
  cli({ ...env, LEANVIBE_FAILPOINTS: `${point}=kill` }, 'migrate-to', to)

test('runs in flight survive a move to PostgreSQL and one back, each killed on its way', async () => {
  const first = await whileServing(embedded, (client) => beginRun(client, 'first'))

  const url = database.url!
  expect((await killedAt(embedded, 'move.batch', url)).code).toBeNull()
  // Nothing is there, and nobody opens the half-moved database by mistake.
  expect(await database.owner('select * from runs')).toEqual([])
  const refused = await cli(embedded, 'runs')
  expect([refused.code, codeOf(refused)]).toEqual([75, 'database-moved'])
  // Killed when all is committed there, but not noted here.
  expect(
    (await cli({ ...embedded, LEANVIBE_FAILPOINTS: 'commit.after.move-in=kill@3' }, 'migrate-to', url)).code,
  ).toBeNull()
  const [noted] = await ok(cli(embedded, 'migrate-to', url))
  expect(noted).toMatchObject({ type: 'moved', copied: null })
  expect(JSON.stringify(noted)).not.toContain(new URL(url).password)

  const second = await whileServing(onServer(), async (client) => {
    expect(codeOf(await cli(onServer(), 'migrate-to', back.LEANVIBE_DATA))).toBe('data-folder-locked')
    return beginRun(client, 'second')
  })

  expect((await killedAt(onServer(), 'move.batch', back.LEANVIBE_DATA)).code).toBeNull()
  expect(existsSync(join(back.LEANVIBE_DATA, 'database'))).toBe(false)
  const [moved] = (await ok(cli(onServer(), 'migrate-to', back.LEANVIBE_DATA))) as [
    { copied: { rows: number; log: { events: number } }; blobs: { blobs: number } },
  ]
  expect(moved.copied.rows).toBeGreaterThan(50)
  expect(moved.copied.log.events).toBeGreaterThan(20)
  expect(moved.blobs.blobs).toBe(2)
  expect(codeOf(await cli(onServer(), 'migrate-to', back.LEANVIBE_DATA))).toBe('move-target-not-empty')

  await whileServing(back, async (client) => {
    writeFileSync(join(place.path, 'gate'), '')
    const { items } = await client.call(listApprovals, { query: { state: 'pending' } })
    expect(items).toHaveLength(2)
    for (const { id } of items) await client.call(approve, { params: { id }, body: {} })
    for (const [id, name] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      const shown = () => client.call(showRun, { params: { id } })
      await expect.poll(async () => (await shown()).run.state, { timeout: 60_000, interval: 100 }).toBe('succeeded')
      const { run, artifacts } = await shown()
      expect(run.outputs).toEqual({ words: 'kept' })
      const kept = await client.bytes(artifactContent, { params: { id: artifacts[0]!.id } })
      expect(await new Response(kept.body).text()).toBe(`made by ${name}`)
    }
  })
  // Whoever changes their mind has the former place again.
  await ok(cli(embedded, 'migrate-to', '--take-back'))
  const [left] = (await ok(cli(embedded, 'runs', 'show', first))) as { run: { endedAt: string | null } }[]
  expect(left!.run.endedAt).toBeNull()
})
