import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { checkEnd } from './check-end.ts'
import { CrashPlace, failuresIn, runIn } from './crash-place.ts'
import { fleetWorkflow } from './fleet.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 180_000 })

/** All of them with LEANVIBE_LONG=1; otherwise as many as a quick look allows. */
const crashes = process.env.LEANVIBE_LONG === '1' ? 20 : 4
const tasks = crashes * 12

const place = new CrashPlace('postgres')
writeFileSync(join(place.folder, 'fleet.yaml'), fleetWorkflow(place.folder, tasks))
let server: PostgresServer

beforeAll(async () => {
  // Durable: what a crash of the server may not lose is the point.
  server = await startPostgresServer({ durable: true })
})
afterAll(async () => {
  await place.remove()
  await server.destroy()
})

test(`${crashes} crashes of the server and one of ours in between: the run ends, and nothing counts twice`, async () => {
  const env = { DATABASE_URL: server.url() }
  const first = place.cli(['orchestrate', 'fleet.yaml', '--repo', place.repo, '--agents', '4'], { env })
  await first.spoke
  const crash = async () => {
    await sleep(500 + Math.random() * 1_500)
    await server.stop('immediate')
    await sleep(Math.random() * 1_000)
    await server.start()
  }
  for (let n = 0; n < Math.ceil(crashes / 2); n++) await crash()
  expect({ code: first.child.exitCode, signal: first.child.signalCode }, failuresOf(first)).toEqual({
    code: null,
    signal: null,
  })
  const run = runIn(first.stdout())
  const killedAt = performance.now()
  first.child.kill('SIGKILL')
  await first.ended
  const cleanMs = await place.untilQuiet(killedAt)

  const from = performance.now()
  const second = place.cli(['orchestrate', '--resume', run, '--agents', '4'], { env, timeoutMs: 300_000 })
  const known = new Set(place.effects().map(({ attempt }) => attempt))
  await expect
    .poll(() => place.effects().some(({ attempt }) => !known.has(attempt)), { timeout: 60_000, interval: 100 })
    .toBe(true)
  const resumeMs = performance.now() - from
  for (let n = 0; n < Math.floor(crashes / 2); n++) await crash()
  const end = await second.ended
  expect(end.code, failuresIn(end)).toBe(0)
  const { lost } = await checkEnd(place, tasks, server.url())
  const figures = { crashes, cleanMs: Math.round(cleanMs), resumeMs: Math.round(resumeMs), attemptsLost: lost }
  console.log('crashes of PostgreSQL', JSON.stringify(figures))
  expect(cleanMs).toBeLessThan(10_000)
})

function failuresOf({ stdout }: { readonly stdout: () => string }): string {
  return failuresIn({ code: null, signal: null, stdout: stdout(), stderr: '' })
}
