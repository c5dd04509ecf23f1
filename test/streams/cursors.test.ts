import { describe, expect, test } from 'vitest'
import { isCustomType } from '../../src/external-api/streams/event-types-contract.ts'
import { listCursors, removeCursor } from '../../src/external-api/streams/streams-contract.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { bearerTokenOf } from '../../src/foundation/platform/http/bearer-token.ts'
import { claimCursor, tailPosition } from '../../src/foundation/runtime/cursors.ts'
import { readEvents } from '../../src/foundation/runtime/event-log.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { runEvents, streamEvents } from '../../src/orchestration/runs/run-endpoints-contract.ts'
import { listSources } from '../meta/source-tree.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform } from '../support/platform.ts'
import { emit, openStreamPlatform, tenant, token } from './streams.fixture.ts'

const hour = 3_600_000
const above = (permissions: readonly string[]) => ({
  server: { authenticate: bearerTokenOf(token, { id: 'me', tenant, permissions }) },
})

eachDatabase('durable cursors', (use) => {
  test('tell who holds the log back, and go when nobody reads by them', async () => {
    const { db } = use()
    await using on = await openStreamPlatform(db, above(['*', 'platform:*']))
    const system = db.asSystem('test')
    const claim = (name: string, at: Date) => system.write((tx) => claimCursor(tx, name, at))
    await claim('gone', new Date(db.clock.now().getTime() - 2 * hour))
    await emit(db, { id: 'unread' })
    await eventually(
      async () => (await system.read(async (tx) => readEvents(tx, await tailPosition(tx), 10))).length === 1,
    )
    await claim('busy', db.clock.now())
    // Events are kept for a millisecond here.
    await eventually(async () => (await on.client.call(listCursors)).items[1]?.holdsBack === true)
    expect((await on.client.call(listCursors)).items).toMatchObject([
      { name: 'busy', unreadSince: null, holdsBack: false, lost: false },
      { name: 'gone', unreadSince: expect.any(String), holdsBack: true, lost: false },
    ])
    const remove = (name: string, query = {}) => on.client.call(removeCursor, { params: { name }, query })
    await expect(remove('busy')).rejects.toMatchObject({ code: 'stream-cursor-in-use' })
    await expect(remove('nobody')).rejects.toMatchObject({ code: 'stream-cursor-not-found' })
    expect(await remove('gone')).toMatchObject({ name: 'gone' })
    expect(await remove('busy', { force: 'true' })).toMatchObject({ name: 'busy' })
    expect((await on.client.call(listCursors)).items).toEqual([])
    expect(
      await use().owner(`select subject_id as id from events where type = 'stream-cursor.removed' order by seq`),
    ).toEqual([{ id: 'gone' }, { id: 'busy' }])
  })

  test('are of all tenants, and so for who runs the installation alone', async () => {
    await using on = await openStreamPlatform(use().db, above(['*']))
    await expect(on.client.call(listCursors)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(on.client.call(removeCursor, { params: { name: 'x' } })).rejects.toMatchObject({ code: 'forbidden' })
  })
})

eachDatabase('the events of the platform’s own form', (use) => {
  const first = async (on: Awaited<ReturnType<typeof openStreamPlatform>>, query: object, count: number) => {
    const stop = new AbortController()
    const found: { readonly id: string | null; readonly n: unknown }[] = []
    for await (const { id, data } of on.client.events(streamEvents, { query, signal: stop.signal } as never)) {
      found.push({ id: id ?? null, n: (data as { data?: { n?: unknown } }).data?.n })
      if (found.length === count) stop.abort()
    }
    return found
  }

  test('are filtered by type, run, agent and subject', async () => {
    await using on = await openStreamPlatform(use().db)
    await emit(
      use().db,
      { id: 'a', type: 'task.leased', run: 'run_1', data: { n: 1, agent: 'agt_1' } },
      { id: 'b', type: 'task.leased', run: 'run_2', data: { n: 2, agent: 'agt_2' } },
      { id: 'agt_1', type: 'agent.degraded', data: { n: 3 } },
      { id: 'a', type: 'task.succeeded', run: 'run_1', data: { n: 4, agent: 'agt_1' }, of: 'other' as TenantId },
    )
    const numbers = async (query: object, count: number) =>
      (await first(on, { from: 'start', ...query }, count)).map(({ n }) => n)
    expect(await numbers({ agent: 'agt_1' }, 2)).toEqual([1, 3])
    expect(await numbers({ agent: 'agt_1', types: 'task.*' }, 1)).toEqual([1])
    expect(await numbers({ subject: 'task/b' }, 1)).toEqual([2])
    const [one, two] = await first(on, { from: 'start' }, 2)
    expect((await first(on, { from: one!.id! }, 1))[0]).toEqual(two)
  })

  test('of one run are listed by agent, type and subject, page by page', async () => {
    const platform = new TestPlatform(use())
    await using on = await openStreamPlatform(use().db)
    const run = await platform.start('name: m\nsteps:\n  each: { map: { over: [1, 2, 3], step: { command: [x] } } }\n')
    const all: string[] = []
    let after: string | undefined
    do {
      const query = { types: 'task.*', limit: 2, ...(after === undefined ? {} : { after }) }
      const page = await on.client.call(runEvents, { params: { id: run.id }, query } as never)
      all.push(...(page as { items: { type: string }[] }).items.map(({ type }) => type))
      after = (page as { next: string | null }).next ?? undefined
    } while (after !== undefined)
    expect(new Set(all.map((type) => type.split('.')[0]))).toEqual(new Set(['task']))
    const [{ count }] = (await use().owner<{ count: number }>(
      `select count(*)::int as count from events where run_id = '${run.id}' and type like 'task.%'`,
    )) as [{ count: number }]
    expect(all).toHaveLength(count)
  })

  test('a place that is no longer kept is 410 with the place to resume from; the oldest kept is not', async () => {
    await using on = await openStreamPlatform(use().db)
    await emit(use().db, { id: 'a', data: { n: 1 } })
    const [event] = await first(on, { from: 'start' }, 1)
    await emit(use().db, { id: 'b', data: { n: 2 } })
    const get = (path: string, id: string) =>
      fetch(on.url + path, {
        headers: { authorization: `Bearer ${token}`, 'last-event-id': id },
        signal: AbortSignal.timeout(5_000),
      })
    for (const path of ['/api/v1/events', '/api/v1/stream']) {
      const kept = await get(path, event!.id!)
      expect(kept.status).toBe(200)
      await kept.body!.cancel()
      const [epoch] = event!.id!.split('.')
      const gone = await get(path, `${epoch}.0.0`)
      expect(gone.status).toBe(410)
      const problem = (await gone.json()) as { code: string; details: { resume: string } }
      expect(problem.code).toBe('cursor-reset')
      const resumed = await get(path, problem.details.resume)
      expect(resumed.status).toBe(200)
      await resumed.body!.cancel()
    }
  })
})

describe('types that others publish', () => {
  test('are never those of the platform', () => {
    const kinds = listSources('src').flatMap(({ text }) =>
      [...text.matchAll(/subject: \{ kind: '([a-z-]+)'|Subject = '([a-z-]+)'/g)].map((match) => match[1] ?? match[2]!),
    )
    expect(kinds.length).toBeGreaterThan(20)
    // What a finding of liveness is about, which is no event.
    const inner = new Set(['runs'])
    expect([...new Set(kinds)].filter((kind) => !inner.has(kind) && isCustomType(`${kind}.changed`))).toEqual([])
    expect(isCustomType('deploy.finished')).toBe(true)
  })
})
