import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { TestPlatform, tenant } from '../../../test/support/platform.ts'
import { asId, type TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { bearerTokenOf } from '../../foundation/platform/http/bearer-token.ts'
import { createServer } from '../../foundation/platform/http/server.ts'
import { countRecentEvents, oldestUnseen } from '../../foundation/runtime/log-figures.ts'
import { insertTick } from '../../foundation/runtime/ticker.ts'
import { countAgents } from '../agents/agents-view.ts'
import { fullestContexts } from '../context-growth/context-use-store.ts'
import { countRuns, mostCounted, readQueue } from '../runs/queue-figures.ts'
import { monitorSchema } from './monitor-contract.ts'
import { monitorRoutes } from './monitor-routes.ts'
import { endings, MonitorService } from './monitor-service.ts'

const sources = { countAgents, readQueue, countRuns, readContexts: fullestContexts }

eachDatabase('the monitor', (use) => {
  const open = () => new MonitorService({ database: use().db, dataFolder: import.meta.dirname, ...sources })
  const tick = () =>
    use()
      .db.asSystem('test')
      .write((tx) => insertTick(tx, use().db.clock.now()))

  test('an idle platform: what there is none of is zero, what cannot be told is null', async () => {
    const figures = monitorSchema.parse(await open().show(tenant, true))
    expect(figures).toMatchObject({
      agents: { byState: {}, slots: 0, used: 0 },
      queue: [],
      runs: { byState: {} },
      rates: { throughput1m: 0, throughput5m: 0, failures5m: null },
      eventLagMs: 0,
    })
    expect(figures.databaseBytes).toBeGreaterThan(1_000_000)
    expect(figures.host!.disk!.totalBytes).toBeGreaterThan(figures.host!.disk!.usedBytes)
  })

  test('follows a run from its queue to its end', async () => {
    const platform = new TestPlatform(use().db)
    const monitor = open()
    const items = '[1, 2, 3, 4, 5, 6]'
    const run = await platform.start(
      `name: m\nsteps:\n  each:\n    map: { over: "\${{ ${items} }}", as: n, step: { command: [n, "\${{ n }}"] } }\n`,
    )
    const queued = await monitor.show(tenant, true)
    expect(queued.queue).toEqual([
      { pool: 'default', state: 'ready', count: 6, atLeast: false, oldestSeconds: expect.any(Number) },
    ])
    expect(queued.runs.byState).toEqual({ running: 1 })
    expect(queued.eventLagMs).toBeGreaterThan(0)
    await tick()
    expect((await monitor.show(tenant, true)).eventLagMs).toBe(0)

    await platform.register(4)
    const { assignments } = await platform.exchange([])
    const busy = await monitor.show(tenant, true)
    expect(busy.agents).toEqual({ byState: { healthy: 1 }, slots: 4, used: 4 })
    expect(busy.queue.map(({ state, count }) => [state, count])).toEqual([
      ['leased', 4],
      ['ready', 2],
    ])
    await platform.exchange(
      assignments.map((assignment, n) =>
        platform.report(assignment, n === 0 ? { code: 'exit-code', exitCode: 1 } : { output: {} }),
      ),
    )
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended.state).toBe('failed')
    const after = await monitor.show(tenant, true)
    expect(after.queue).toEqual([])
    expect(after.runs.byState).toEqual({ failed: 1 })
    const { cancelled = 0, failed = 0, succeeded = 0 } = await outcomes()
    const total = cancelled + failed + succeeded
    expect(total).toBe(6)
    expect(after.rates.throughput1m).toBeCloseTo(total / 60)
    expect(after.rates.throughput5m).toBeCloseTo(total / 300)
    expect(after.rates.failures5m).toBeCloseTo((total - succeeded) / total)
    expect((await monitor.show(asId<TenantId>('stranger'), true)).rates.throughput1m).toBe(0)
  })

  async function outcomes(): Promise<Record<string, number>> {
    const rows = await use().owner<{ state: string; n: string }>(
      'select state, count(*) as n from tasks group by state',
    )
    return Object.fromEntries(rows.map((row) => [row.state, Number(row.n)]))
  }

  const task = fc.record({
    pool: fc.constantFrom('a', 'b', 'c'),
    lane: fc.constantFrom('x', 'y', 'z'),
    state: fc.constantFrom('ready', 'waiting', 'leased', 'running', 'succeeded', 'failed'),
    age: fc.integer({ min: 1, max: 1_000 }),
    tenant: fc.constantFrom('default', 'default', 'other'),
  })

  test('the queue is counted as a plain count would, as long as it is small', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(task, { maxLength: 40 }), async (tasks) => {
        await use().reset()
        for (const [n, { pool, lane, state, age, tenant: owner }] of tasks.entries()) {
          await use().owner(
            `insert into tasks (tenant_id, id, run_id, step, state, pool, lane, priority, timeout_ms, created_at)
             values ($1, $2, 'r', 's', $3, $4, $5, 5, 1, now() - make_interval(secs => $6))`,
            [owner, `t${n}`, state, pool, lane, age],
          )
        }
        const figures = await use()
          .db.forTenant(tenant)
          .read((tx) => readQueue(tx, tenant))
        const plain = await use().owner<{ pool: string; state: string; count: number; oldest: Date }>(
          `select pool, state, count(*)::int as count, min(created_at) as oldest from tasks
           where tenant_id = 'default' and state in ('ready', 'waiting', 'leased', 'running') group by 1, 2
           order by pool || ' ' || state`,
        )
        expect(figures.map(({ pool, state, count, atLeast }) => ({ pool, state, count, atLeast }))).toEqual(
          plain.map(({ pool, state, count }) => ({ pool, state, count, atLeast: false })),
        )
        for (const [n, figure] of figures.entries()) {
          // Of ready tasks only the heads of the lanes are looked at.
          if (figure.state === 'ready')
            expect(figure.oldestAt.getTime()).toBeGreaterThanOrEqual(plain[n]!.oldest.getTime())
          else expect(figure.oldestAt).toEqual(plain[n]!.oldest)
        }
      }),
      { numRuns: 20 },
    )
  })

  test('the route answers what its contract says', async () => {
    const principal = { id: 'me', tenant, permissions: ['monitor:read'] }
    await using server = createServer({ routes: monitorRoutes(open()), authenticate: bearerTokenOf('t', principal) })
    const answer = await server.inject({ url: '/api/v1/monitor', headers: { authorization: 'Bearer t' } })
    expect(answer.statusCode).toBe(200)
    const above = bearerTokenOf('t', { ...principal, permissions: ['monitor:read', 'platform:read'] })
    await using theirs = createServer({ routes: monitorRoutes(open()), authenticate: above })
    const whole = await theirs.inject({ url: '/api/v1/monitor', headers: { authorization: 'Bearer t' } })
    expect(monitorSchema.parse(whole.json())).toMatchObject({ host: { cores: expect.any(Number) }, eventLagMs: 0 })
    expect(monitorSchema.parse(answer.json())).toMatchObject({
      queue: [],
      host: null,
      eventLagMs: null,
      databaseBytes: null,
    })
  })
})

eachDatabase('the monitor beside 200,000 tasks, as many events and 50,000 runs', (use) => {
  /** Answers every query with its plan, kept, and no rows. */
  async function plansOf(look: (tx: ReadTx) => Promise<unknown>): Promise<string> {
    const plans: string[] = []
    await use()
      .db.asSystem('test')
      .read(async (tx) => {
        const explaining: ReadTx = {
          tenant: tx.tenant,
          async query<Row>(query: Parameters<ReadTx['query']>[0]) {
            const rows = await tx.query<{ 'QUERY PLAN': string }>({ ...query, text: `explain ${query.text}` })
            plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
            return [] as Row[]
          },
        }
        // Some cannot go on without a row; their plan is known by then.
        await look(explaining).catch(() => undefined)
      })
    return plans.join('\n\n')
  }

  test('looks through indexes, stops counting at the limit, and stays quick', async () => {
    const { db, owner } = use()
    await owner(`insert into tasks (tenant_id, id, run_id, step, state, reason, pool, lane, priority, timeout_ms, created_at)
        select 'default', 't' || n, 'r' || n % 50000, 's',
          case when n % 10 < 6 then 'ready' when n % 10 < 8 then 'waiting' else 'succeeded' end,
          'budget', 'pool' || n % 3, 'lane' || n % 7, 5, 1, now() - interval '1 hour' from generate_series(1, 200000) n`)
    await owner(`insert into runs (tenant_id, id, workflow, version, state, created_at, ended_at)
        select 'default', 'r' || n, 'w', 1, case when n % 5 = 0 then 'running' else 'succeeded' end,
          now() - make_interval(mins => n), case when n % 5 = 0 then null else now() end from generate_series(1, 50000) n`)
    // One transaction in 20 events, one tick in 50 transactions.
    await owner(`insert into event_batches (xid, tenant_id, type, subject_kind, at, subject_ids, subject_revs, data)
        select (10 + n / 20)::text::xid8, 'default', case when n % 4 = 0 then 'task.succeeded' else 'task.ready' end, 'task',
          now() - make_interval(secs => (200000 - n) / 100.0), array['t' || n], array[1], array[null] from generate_series(1, 200000) n`)
    await owner(`insert into ticks (id, epoch, snapshot, at)
        select n, 1, format('%1$s:%1$s:', 11 + n * 50)::pg_snapshot, now() - make_interval(secs => (200 - n) * 10)
        from generate_series(1, 200) n`)
    await owner('vacuum analyze tasks')
    await owner('vacuum analyze runs')
    await owner('vacuum analyze event_batches')

    const since = new Date(Date.now() - 86_400_000)
    const own = (await plansOf((tx) => readQueue(tx, tenant))) + (await plansOf((tx) => countRuns(tx, tenant, since)))
    expect(own).not.toMatch(/Seq Scan on (tasks|runs)/)
    const shared =
      (await plansOf((tx) => countRecentEvents(tx, tenant, endings, [since]))) + (await plansOf(oldestUnseen))
    expect(shared).not.toMatch(/Seq Scan on events/)

    const monitor = new MonitorService({ database: db, dataFolder: '/', ...sources })
    await monitor.show(tenant, true)
    const started = performance.now()
    const figures = await monitor.show(tenant, true)
    const took = performance.now() - started
    console.log(`monitor beside 200,000 tasks on ${db.kind}: ${took.toFixed(0)} ms`)
    expect(took).toBeLessThan(2_000)
    expect(figures.queue.filter(({ state }) => state === 'ready')).toEqual(
      [0, 1, 2].map((n) => ({
        pool: `pool${n}`,
        state: 'ready',
        count: mostCounted,
        atLeast: true,
        oldestSeconds: expect.any(Number),
      })),
    )
    const waiting = figures.queue.filter(({ state }) => state === 'waiting')
    expect(waiting.every(({ atLeast }) => atLeast)).toBe(true)
    expect(figures.runs.byState.running).toBe(mostCounted)
    expect(figures.runs.byState.succeeded).toBeGreaterThan(1_000)
    // 100 events a second, of which every fourth ends a task; the last ones are some seconds old by now.
    expect(figures.rates.throughput1m).toBeGreaterThan(10)
    expect(figures.rates.throughput1m).toBeLessThan(25.1)
    expect(figures.rates.throughput5m).toBeGreaterThan(20)
    expect(figures.rates.throughput5m).toBeLessThan(25.1)
    expect(figures.rates.failures5m).toBe(0)
    expect(figures.eventLagMs).toBe(0)
  }, 120_000)
})
