import { readdirSync, readFileSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createJoinedServers } from '../src/cli/join/joined-servers.ts'
import { registerRunner, showRun, startRun } from '../src/contract.ts'
import { isAppError } from '../src/foundation/kernel/errors.ts'
import { openDatabase } from '../src/foundation/platform/database/open-database.ts'
import { runnerContract } from '../src/orchestration/remote-runners/runner-versions-contract.ts'
import { startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'
import { joinRunner, runnerKey } from './support/joined.ts'
import { scratchFolder } from './support/run-cli.ts'

// Versions one apart run together: programs on one database, and runners with servers.

const migrations = fileURLToPath(new URL('../migrations', import.meta.url))
const scratch = scratchFolder('versions')
const yaml = JSON.stringify({
  rateLimits: { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none', runners: 'none' },
  agents: 2,
})
afterAll(() => scratch.remove())

/** Published before the rule was checked; none of them ever ran beside an older program. */
const former: Readonly<Record<string, RegExp>> = {
  '0001_runtime.sql': /alter column bytes set storage/,
  '0003_event_partitions.sql': /drop table public\.%I/,
  '0006_budgets_and_quotas.sql': /drop index budgets_scope/,
}
const takesAway =
  /\b(drop|truncate)\s+(table|column|constraint|index|view|function|type|sequence)\b|\brename\b|\bset not null\b|\balter column\b/i

test('a migration that says it is of low risk takes nothing away that an older program uses', () => {
  const faults = readdirSync(migrations)
    .filter((name) => /^\d{4}_/.test(name))
    .flatMap((name) => {
      const text = readFileSync(join(migrations, name), 'utf8')
      if (!text.startsWith('-- risk: low')) return []
      const lines = text.split('\n').filter((line) => !line.startsWith('--') && takesAway.test(line))
      return lines.filter((line) => former[name]?.test(line) !== true).map((line) => `${name}: ${line.trim()}`)
    })
  expect(faults).toEqual([])
})

async function perform(api: TestApi, text: string) {
  const { id } = await api.owner.call(startRun, { body: { source: { text, fileName: 'flow.yaml' } } })
  return async (through: TestApi) => {
    const show = () => through.owner.call(showRun, { params: { id } })
    await expect.poll(async () => (await show()).run.state, { timeout: 60_000 }).toMatch(/succeeded|failed/)
    const { run, tasks } = await show()
    // What went wrong is worth more than that something did.
    return run.state === 'failed' ? JSON.stringify(tasks.map(({ step, error }) => ({ step, error }))) : run.state
  }
}

describe('two servers on one PostgreSQL, one of which has migrated ahead of the other', () => {
  let use: TestDatabase
  beforeAll(async () => {
    use = await openTestDatabase('postgres')
  }, 60_000)
  afterAll(() => use.close())

  test('work on the same runs, in both directions', { timeout: 120_000 }, async () => {
    const folder = join(scratch.path, 'migrations')
    await cp(migrations, folder, { recursive: true })
    const number = readdirSync(folder).filter((name) => /^\d{4}_/.test(name)).length + 1
    const additions = [
      '-- risk: low: adds a table, and columns to tables of the hot path',
      'create table further (tenant_id text collate "C" not null, id text collate "C" not null, primary key (tenant_id, id));',
      ...['tasks', 'runs', 'agents', 'reservations'].map(
        (table) => `alter table ${table} add column further int not null default 7;`,
      ),
      'create index further_tasks on tasks (tenant_id, further) where further > 7;',
    ]
    await writeFile(join(folder, `${String(number).padStart(4, '0')}_further.sql`), `${additions.join('\n')}\n`)
    // The older server is at work when the newer one migrates.
    const older = await startApi(use.db, { yaml, work: true })
    const database = await openDatabase({ kind: 'postgres', url: use.url!, migrations: folder })
    const newer = await startApi(database, { yaml, work: true })
    try {
      const text =
        'name: both\nbudget: { usd: 1 }\nsteps:\n  each: { map: { over: [1, 2, 3, 4, 5, 6], step: { command: [echo, "${{ item }}"] } } }\n  last: { needs: each, command: [echo, done] }\n'
      const ended = await Promise.all([perform(older, text), perform(newer, text)])
      expect(await ended[0]!(newer)).toBe('succeeded')
      expect(await ended[1]!(older)).toBe('succeeded')
      const [row] = await use.owner<{ runners: number }>(`select count(distinct runner_id)::int as runners from tasks`)
      expect(row!.runners).toBe(2)
      expect([...older.errors, ...newer.errors]).toEqual([])
    } finally {
      await newer.close()
      await database.close()
      await older.close()
    }
  })
})

test('a migration gives way to whoever is at work on a table, and is tried again', { timeout: 90_000 }, async () => {
  const use = await openTestDatabase('postgres')
  const folder = join(scratch.path, 'patient')
  await cp(migrations, folder, { recursive: true })
  const number = readdirSync(folder).filter((name) => /^\d{4}_/.test(name)).length + 1
  const text = '-- risk: low: adds a column\nalter table tasks add column further int;\n'
  await writeFile(join(folder, `${String(number).padStart(4, '0')}_further.sql`), text)
  const worker = new pg.Client(use.url)
  await worker.connect()
  try {
    await worker.query('begin')
    await worker.query('select from tasks limit 1')
    const waiting = async () => {
      const rows = await use.owner<{ who: string }>(
        `select virtualtransaction as who from pg_locks where not granted and relation = 'tasks'::regclass`,
      )
      return rows[0]?.who
    }
    const opening = openDatabase({ kind: 'postgres', url: use.url!, migrations: folder })
    const seen = new Set<string | undefined>()
    await expect.poll(async () => seen.add(await waiting()).size, { timeout: 30_000, interval: 50 }).toBeGreaterThan(2)
    await worker.query('commit')
    await (await opening).close()
    expect(await use.owner(`select further from tasks`)).toEqual([])
  } finally {
    await worker.end()
    await use.close()
  }
})

describe('runners and servers', () => {
  let use: TestDatabase
  let api: TestApi
  beforeAll(async () => {
    use = await openTestDatabase('pglite')
    api = await startApi(use.db, { yaml, work: true })
  }, 60_000)
  afterAll(async () => {
    await api.close()
    await use.close()
  })

  test('a runner of the version before works for this server', async () => {
    const key = await runnerKey(api)
    const call = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const answer = await fetch(`${api.server.localUrl}/api/v1/runners${path}`, {
        ...{ method, headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect(answer.ok, await answer.clone().text()).toBe(true)
      return (answer.status === 204 ? null : await answer.json()) as never
    }
    // As version 1 wrote it.
    const agent = { name: 'old.1', pool: 'old', kind: 'command', capabilities: [], labels: {}, slots: 1, weight: 1 }
    const { runner } = (await call('POST', '', { host: 'there', pid: 1, agents: [agent] })) as { runner: string }
    const ended = await perform(api, 'name: old\nsteps: { it: { command: [echo, hi], pool: old } }\n')
    type Reply = { assignments: { taskId: string; fence: number; agentId: string }[] }
    const quiet = { reports: [], progress: [], holding: [], accept: true }
    let lease: Reply['assignments'][number] | undefined
    await expect
      .poll(
        async () => {
          lease ??= ((await call('POST', `/${runner}/exchange`, quiet)) as Reply).assignments[0]
          return lease?.agentId
        },
        { timeout: 20_000 },
      )
      .toBe(`${runner}.old.1`)
    const at = new Date().toISOString()
    const { taskId, fence } = lease!
    const report = {
      ...{ taskId, fence, outcome: 'succeeded', startedAt: at, endedAt: at, output: {}, error: null },
      usage: { cpuSeconds: null, maxRssBytes: null, wallSeconds: 0.1 },
      ...{ artifacts: [], workspaceCommit: null },
    }
    await call('POST', `/${runner}/exchange`, { ...quiet, reports: [report] })
    expect(await ended(api)).toBe('succeeded')
    await call('DELETE', `/${runner}`)
  })

  /** This server as the version before it was: it knows nothing of what came since. */
  const asBefore = async (input: string, init: RequestInit) => {
    const { pathname } = new URL(input)
    if (/\/(context|service-call)(\/|$)/.test(pathname))
      return Response.json({ title: 'no such route' }, { status: 404 })
    const answer = await fetch(input, init)
    if (!answer.ok || !/\/runners(\/[^/]+\/exchange)?$/.test(pathname)) return answer
    const { contract: _contract, agents, ...body } = (await answer.json()) as Record<string, unknown>
    const kept = pathname.endsWith('/runners') ? { agents } : {}
    return Response.json({ ...body, ...kept }, { status: answer.status })
  }

  test('this runner works for a server of the version before, but not with agents that need more of it', async () => {
    const session = fileURLToPath(new URL('../src/orchestration/agents/acp/acp-peer.fixture.ts', import.meta.url))
    const pools = {
      plain: { command: ['cat'], prompt: 'stdin' },
      session: { acp: {}, command: [process.execPath, session] },
    }
    const folder = join(scratch.path, 'plain')
    const runner = await joinRunner(api, folder, { agents: 1, pools }, { fetch: asBefore })
    const prompt = JSON.stringify([{ say: 'hi' }])
    for (const pool of ['plain', 'session']) {
      const flow = { name: pool, steps: { it: { agent: { prompt }, pool } } }
      expect(await (await perform(api, JSON.stringify(flow)))(api)).toBe('succeeded')
    }
    await runner[Symbol.asyncDispose]()
    expect(runner.errors).toEqual([])
    const keeper = { agents: 1, pools: { model: { llm: { model: 'dear' } } } }
    const refused = joinRunner(api, join(scratch.path, 'keeper'), keeper, { fetch: asBefore })
    await expect(refused).rejects.toSatisfy((error) => isAppError(error, 'joined-server-too-old'))
    expect(await use.owner('select id from remote_runners')).toEqual([])
  })

  test('versions further apart are refused by the newer one, and the older one is named', async () => {
    const ahead = async (input: string, init: RequestInit) => {
      const answer = await fetch(input, init)
      if (!answer.ok || !new URL(input).pathname.endsWith('/runners')) return answer
      return Response.json({ ...((await answer.json()) as object), contract: runnerContract + 2 }, { status: 201 })
    }
    const refused = joinRunner(api, join(scratch.path, 'ahead'), { agents: 1 }, { fetch: ahead })
    await expect(refused).rejects.toSatisfy((error) => isAppError(error, 'runner-too-old'))
    const server = createJoinedServers({ urls: [api.server.localUrl], key: await runnerKey(api), onError: () => {} })
    expect(await server.register('there', 1, [])).toMatchObject({ contract: runnerContract })
    expect(registerRunner.body!.parse({ host: 'a', pid: 1, agents: [] })).toMatchObject({ contract: 1, most: 0 })
  })
})
