import { afterEach, describe, expect, test } from 'vitest'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import { bearerTokenOf } from '../foundation/platform/http/bearer-token.ts'
import { httpErrors } from '../foundation/platform/http/http-errors.ts'
import { type Route, route } from '../foundation/platform/http/route.ts'
import { createServer, type HttpServer } from '../foundation/platform/http/server.ts'
import { listApprovals } from '../orchestration/approvals/approvals-contract.ts'
import { listRuns, showRun, startRun, streamEvents } from '../orchestration/runs/run-endpoints-contract.ts'
import type { EventView, RunView } from '../orchestration/runs/runs-contract.ts'
import { AppError, LeanVibe } from './index.ts'

const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 100 })
})

async function serve(routes: readonly Route[], port = 0) {
  const principal = { id: 'tester', tenant: asId<TenantId>('default'), permissions: ['*'] }
  const server = createServer({ routes, authenticate: bearerTokenOf('lvk_right', principal) })
  open.push(server)
  const { url, port: taken } = await server.listen({ port })
  return { server, port: taken, leanvibe: new LeanVibe({ url, key: 'lvk_right', backoff: () => 5 }) }
}

const run = (state: RunView['state']): RunView => ({
  ...{ id: 'run_1', workflow: 'a', version: 1, state, rev: 1, inputs: {}, outputs: null, error: null, repo: null },
  ...{
    priority: 5,
    labels: {},
    depth: null,
    origin: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    startedAt: null,
    endedAt: null,
  },
})
const event = (n: number, type = 'run.changed'): EventView => ({
  ...{ cursor: `1.1.${n}`, seq: n, type, subject: { kind: 'run', id: 'run_1', rev: n }, runId: 'run_1' },
  ...{ at: '2026-01-01T00:00:00.000Z', data: null },
})

describe('a call', () => {
  test('is repeated with one key where it may pass later, and not where it will not', async () => {
    const keys: (string | null)[] = []
    const { leanvibe } = await serve([
      route({
        ...startRun,
        permission: 'runs:write',
        handle: ({ idempotencyKey, body }) => {
          keys.push(idempotencyKey)
          if (body.workflow === 'never') throw httpErrors['page-invalid']('no')
          if (keys.length < 3) throw httpErrors['rate-limited']('slow down', { details: { retryAfterMs: 1 } })
          return run('running')
        },
      }),
    ])
    expect(await leanvibe.runs.start({ workflow: 'a' })).toMatchObject({ id: 'run_1' })
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
    await expect(leanvibe.runs.start({ workflow: 'never' })).rejects.toMatchObject({ code: 'page-invalid' })
    expect(keys).toHaveLength(4)
    expect(keys[3]).not.toBe(keys[0])
  })

  test('survives a restart of the server, and gives up in the end', async () => {
    const list = route({ ...listRuns, permission: 'runs:read', handle: () => ({ items: [], next: null }) })
    const { server, port, leanvibe } = await serve([list])
    expect((await leanvibe.runs.list()).items).toEqual([])
    await server.close()
    const later = leanvibe.runs.list()
    await serve([list], port)
    expect((await later).items).toEqual([])
    for (const each of open.splice(0)) await each.close({ graceMs: 100 })
    const failure = await leanvibe.runs.list().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(AppError)
    expect(failure).toMatchObject({ code: 'server-unreachable' })
  })
})

test('lists are read to their end', async () => {
  const { leanvibe } = await serve([
    route({
      ...listRuns,
      permission: 'runs:read',
      handle: ({ query }) => {
        const from = Number(query.after ?? 0)
        const items = [0, 1, 2].map((n) => ({ ...run('running'), id: `run_${from + n}` }))
        return { items, next: from < 6 ? String(from + 3) : null }
      },
    }),
    route({ ...listApprovals, permission: 'approvals:read', handle: () => ({ items: [], next: null }) }),
  ])
  const ids: string[] = []
  for await (const { id } of leanvibe.runs.all()) ids.push(id)
  expect(ids).toEqual(Array.from({ length: 9 }, (_, n) => `run_${n}`))
  for await (const approval of leanvibe.approvals.all()) expect(approval).toBeUndefined()
})

describe('events', () => {
  test('go on behind the last one over a broken connection, and behind a cursor kept from before', async () => {
    const asked: (string | null)[] = []
    const { leanvibe } = await serve([
      route({
        ...streamEvents,
        permission: 'events:read',
        // Two events a connection, then it ends.
        handle: async function* ({ lastEventId, query }) {
          asked.push(lastEventId ?? query.from ?? null)
          const first = Number(lastEventId?.split('.')[2] ?? 0) + 1
          for (const n of [first, first + 1]) yield { id: `1.1.${n}`, event: 'run.changed', data: event(n) }
        },
      }),
    ])
    const stop = new AbortController()
    const seen: number[] = []
    for await (const { seq } of leanvibe.events({ from: 'start', types: ['run.*'] }, { signal: stop.signal })) {
      seen.push(seq)
      if (seq === 6) stop.abort()
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6])
    expect(asked).toEqual(['start', '1.1.2', '1.1.4'])
    for await (const { seq } of leanvibe.events({ from: '1.1.40' })) {
      expect(seq).toBe(41)
      break
    }
  })

  test('from a place that is no longer kept are refused with where it goes on', async () => {
    const { runtimeErrors } = await import('../foundation/runtime/runtime-errors.ts')
    const { leanvibe } = await serve([
      route({
        ...streamEvents,
        permission: 'events:read',
        handle: () => {
          throw runtimeErrors['cursor-reset']('gone', { details: { resume: '2.0.0' } })
        },
      }),
    ])
    const failure = await leanvibe
      .events({ from: '1.1.1' })
      .next()
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'cursor-reset', details: { resume: '2.0.0' } })
  })
})

test('waiting sees the end of a run, whenever it comes', async () => {
  for (const endsAfter of [0, 1, 2, 3]) {
    let looks = 0
    let tell = () => {}
    const { leanvibe } = await serve([
      route({
        ...showRun,
        permission: 'runs:read',
        handle: () => {
          const state = looks++ >= endsAfter ? 'succeeded' : 'running'
          queueMicrotask(() => tell())
          return { run: run(state), steps: [], tasks: [], artifacts: [] }
        },
      }),
      route({
        ...streamEvents,
        permission: 'events:read',
        handle: async function* ({ signal }) {
          for (let n = 1; !signal.aborted; n++) {
            const told = new Promise<void>((resolve) => {
              tell = resolve
              signal.addEventListener('abort', () => resolve())
            })
            yield { id: `1.1.${n}`, event: 'run.changed', data: event(n) }
            await told
          }
        },
      }),
    ])
    expect(await leanvibe.runs.wait('run_1', { signal: AbortSignal.timeout(20_000) })).toMatchObject({
      state: 'succeeded',
    })
  }
})
