import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { type Cli, CrashPlace } from './crash-place.ts'

vi.setConfig({ testTimeout: 400_000, hookTimeout: 180_000 })

const place = new CrashPlace('schedules')
writeFileSync(join(place.folder, 'tick.yaml'), 'name: tick\nsteps:\n  a: { command: [echo, tick] }\n')
let server: PostgresServer

beforeAll(async () => {
  server = await startPostgresServer()
})
afterAll(async () => {
  await place.remove()
  await server.destroy()
})

interface Figures {
  readonly slots: number
  readonly ended: number
  readonly runs: number
  readonly doubled: number
}

async function query<Row>(text: string): Promise<Row[]> {
  const client = new pg.Client(server.url())
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

async function figures(schedule: string): Promise<Figures> {
  const [row] = await query<Figures>(`
    select (select count(*)::int from schedule_slots where schedule = '${schedule}' and run_id is not null) as slots,
      (select count(*)::int from schedule_slots where schedule = '${schedule}' and state = 'ended') as ended,
      (select count(*)::int from runs where labels->>'schedule' = '${schedule}') as runs,
      (select count(*)::int from (select from runs where labels->>'schedule' = '${schedule}'
        group by labels->>'slot' having count(*) > 1) d) as doubled`)
  return row!
}

async function stop(cli: Cli): Promise<void> {
  cli.child.kill('SIGTERM')
  await cli.ended
}

test.each([
  ['before', 0],
  ['after', 1],
] as const)('killed %s the commit of a slot: it has one run in the end', async (when, left) => {
  const env = { DATABASE_URL: server.url() }
  const name = `s-${when}`
  const serving = place.cli(['serve'], { env })
  await serving.spoke
  const made = await place.cli(
    ['schedules', 'create', name, '--workflow', './tick.yaml', '--cron', '0 0 1 1 *', '--catch-up', 'latest'],
    { env },
  ).ended
  expect(made.code, made.stderr).toBe(0)
  await stop(serving)
  // A slot that was due a minute ago, and none after it for a year.
  await query(`update schedules set cron = to_char(now() at time zone 'UTC' - interval '1 minute', 'FMMI FMHH24 FMDD FMMM "*"'),
    last_slot_at = now() - interval '10 minutes', due_at = now() - interval '1 minute' where name = '${name}'`)

  const killed = place.cli(['serve'], { env: { ...env, LEANVIBE_FAILPOINTS: `commit.${when}.schedules=kill` } })
  expect((await killed.ended).signal).toBe('SIGKILL')
  expect(await figures(name)).toMatchObject({ slots: left, runs: left })

  const second = place.cli(['serve'], { env })
  await expect.poll(async () => (await figures(name)).ended, { timeout: 180_000, interval: 100 }).toBe(1)
  expect(await figures(name)).toEqual({ slots: 1, ended: 1, runs: 1, doubled: 0 })
  await stop(second)
})
