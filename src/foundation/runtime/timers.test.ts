import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import type { Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { eventually, tenant } from './log.fixture.ts'
import { cancelTimers, setTimers, startTimers, type Timer, type TimerHandler } from './timers.ts'

eachDatabase('timers', (use) => {
  const unexpected = (error: unknown) => expect(error).toBeUndefined()
  const timer = (id: string, dueInMs = -1_000, kind = 'ring'): Timer => ({
    tenant,
    id,
    kind,
    subjectId: `subject of ${id}`,
    dueAt: new Date(use().db.clock.now().getTime() + dueInMs),
  })
  const set = (...timers: Timer[]) =>
    use()
      .db.forTenant(tenant)
      .write((tx) => setTimers(tx, timers))
  const left = async () => (await use().owner<{ id: string }>('select id from timers order by id')).map((row) => row.id)

  /** Counts the firing in the transaction that fires: what is rolled back does not count. */
  const count: TimerHandler = async (tx: Tx, timers) => {
    for (const { id } of timers) {
      await tx.execute(sql`
        insert into concurrency_groups (tenant_id, key, max, used) values (${tenant}, ${id}, 0, 1)
        on conflict (tenant_id, key) do update set used = concurrency_groups.used + 1`)
    }
  }
  const counts = async () =>
    use().owner<{ key: string; used: number }>('select key, used from concurrency_groups order by key')

  test('each fires exactly once, with two processes competing and handlers that die', async () => {
    const { db } = use()
    const ids = Array.from({ length: 300 }, (_, n) => `t${String(n).padStart(3, '0')}`)
    let calls = 0
    const mortal: TimerHandler = async (tx, timers, now) => {
      await count(tx, timers, now)
      if (calls++ % 3 === 0) throw new Error('killed on purpose')
    }
    const loops = [1, 2].map(() =>
      startTimers(db, { handlers: { ring: mortal }, limit: 20, pollMs: 5, restMs: 1, onError: () => {} }),
    )
    for (let n = 0; n < ids.length; n += 50) await set(...ids.slice(n, n + 50).map((id) => timer(id)))
    await eventually(async () => (await left()).length === 0, 30_000)
    for (const loop of loops) await loop.stop()
    expect(await counts()).toEqual(ids.map((key) => ({ key, used: 1 })))
  })

  test('none fires early, and one batch comes in the order in which they fell due', async () => {
    const order: string[] = []
    await set(timer('b', -2_000), timer('late', 60_000), timer('a', -3_000), timer('c', -1_000))
    const handlers: Record<string, TimerHandler> = {
      ring: async (_tx, timers) => void order.push(...timers.map((t) => t.id)),
    }
    const loop = startTimers(use().db, { handlers, pollMs: 5, onError: unexpected })
    await eventually(async () => (await left()).length === 1)
    await loop.stop()
    expect(order).toEqual(['a', 'b', 'c'])
    expect(await left()).toEqual(['late'])
  })

  test('one whose handler throws rests and holds up nobody; the failure is told', async () => {
    const errors: unknown[] = []
    const rang: string[] = []
    const handlers: Record<string, TimerHandler> = {
      ring: async (_tx, timers) => {
        if (timers.some((t) => t.id === 'bad')) throw new Error('bad one')
        rang.push(...timers.map((t) => t.id))
      },
    }
    await set(timer('bad', -9_000), timer('good'), timer('better'))
    const loop = startTimers(use().db, {
      handlers,
      limit: 1,
      pollMs: 5,
      restMs: 60_000,
      onError: (e) => errors.push(e),
    })
    await eventually(() => rang.length === 2)
    await loop.stop()
    expect(rang.sort()).toEqual(['better', 'good'])
    expect(await left()).toEqual(['bad'])
    expect(errors.map(String)).toEqual(['Error: bad one'])
  })

  test('kinds without a handler stay for a process that has one', async () => {
    await set(timer('mine'), timer('other', -1_000, 'unheard-of'))
    const loop = startTimers(use().db, { handlers: { ring: count }, pollMs: 5, onError: unexpected })
    await eventually(async () => (await left()).length === 1)
    await loop.stop()
    expect(await left()).toEqual(['other'])
  })

  test('setting one again moves it, cancelling removes it', async () => {
    await set(timer('a'), timer('b'), timer('c', 60_000))
    await set({ ...timer('a', 60_000), data: { n: 2 } })
    await use()
      .db.forTenant(tenant)
      .write((tx) => cancelTimers(tx, [{ tenant, id: 'b' }]))
    const loop = startTimers(use().db, { handlers: { ring: count }, pollMs: 5, onError: unexpected })
    await set(timer('d'))
    await eventually(async () => (await counts()).length === 1)
    await loop.stop()
    expect(await counts()).toEqual([{ key: 'd', used: 1 }])
    expect(await left()).toEqual(['a', 'c'])
    expect(await use().owner(`select data from timers where id = 'a'`)).toEqual([{ data: { n: 2 } }])
  })
})
