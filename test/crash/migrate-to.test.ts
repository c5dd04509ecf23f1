import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { type CliResult, documentsOf, runCli, scratchFolder, startCli } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

const place = scratchFolder('migrate-to')
writeFileSync(join(place.path, 'leanvibe.yaml'), '')
// When the server is killed, one task is done, one at work, one step waits for a person, and one for the clock.
writeFileSync(
  join(place.path, 'long.yaml'),
  `name: long
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
`,
)
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
async function whileServing<T>(env: Env, use: () => Promise<T>): Promise<T> {
  const server = startCli(['serve', '--json'], { cwd: place.path, env, timeoutMs: 120_000 })
  try {
    await expect.poll(server.stdout, { timeout: 60_000 }).toContain('"listening"')
    return await use()
  } finally {
    server.child.kill('SIGKILL')
    await server.ended
  }
}

async function startRun(env: Env, name: string): Promise<string> {
  const { code, stdout, stderr } = await runCli(['orchestrate', '--detach', './long.yaml', '--input', `name=${name}`], {
    cwd: place.path,
    env,
  })
  expect(code, stderr).toBe(0)
  const id = stdout.trim()
  const waiting = async () => {
    const [run] = (await ok(cli(env, 'runs', 'show', id))) as { steps: { id: string; state: string }[] }[]
    return Object.fromEntries(run!.steps.map((step) => [step.id, step.state]))
  }
  await expect
    .poll(waiting, { timeout: 60_000, interval: 500 })
    .toMatchObject({ done: 'succeeded', working: 'running', asked: expect.stringMatching(/wait|run/) })
  return id
}

const killedAt = (env: Env, point: string, to: string) =>
  cli({ ...env, LEANVIBE_FAILPOINTS: `${point}=kill` }, 'migrate-to', to)

test('runs in flight survive a move to PostgreSQL and one back, each killed on its way', async () => {
  const first = await whileServing(embedded, () => startRun(embedded, 'first'))

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
  expect(codeOf(await cli(embedded, 'runs'))).toBe('database-moved')
  expect(codeOf(await cli(embedded, 'migrate-to', `${url}x`))).toBeDefined()

  const second = await whileServing(onServer(), async () => {
    expect(codeOf(await cli(onServer(), 'migrate-to', back.LEANVIBE_DATA))).toBe('data-folder-locked')
    return startRun(onServer(), 'second')
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

  await whileServing(back, async () => {
    writeFileSync(join(place.path, 'gate'), '')
    const asked = (await ok(cli(back, 'approvals'))) as { id: string }[]
    expect(asked).toHaveLength(2)
    for (const { id } of asked) await ok(cli(back, 'approvals', 'approve', id))
    for (const [run, name] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      const shown = async () =>
        (await ok(cli(back, 'runs', 'show', run)))[0]!.run as { state: string; outputs: unknown }
      await expect.poll(async () => (await shown()).state, { timeout: 60_000, interval: 1_000 }).toBe('succeeded')
      expect((await shown()).outputs).toEqual({ words: 'kept' })
      const out = join(place.path, `report-${name}`)
      await ok(cli(back, 'artifacts', 'get', run, '--out', out))
      const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
      const texts = files.map((file) => readFileSync(join(file.parentPath, file.name), 'utf8'))
      expect(texts).toEqual([`made by ${name}`])
    }
  })
  // Whoever changes their mind has the former place again.
  await ok(cli(embedded, 'migrate-to', '--take-back'))
  const [left] = (await ok(cli(embedded, 'runs', 'show', first))) as { run: { endedAt: string | null } }[]
  expect(left!.run.endedAt).toBeNull()
})
