import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { asId, type TenantId } from '../kernel/ids.ts'
import { openDatabase } from '../platform/database/open-database.ts'
import { sql } from '../platform/database/sql.ts'
import { claimCursor, parseCursor, saveCursor } from './cursors.ts'
import { appendEvents, endOfTick, readEvents } from './event-log.ts'
import { keepEventPartitions, startEventPartitions } from './event-partitions.ts'
import { changeSubject, eventually, nameOf, tenant, tick } from './log.fixture.ts'

const day = 86_400_000
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

eachDatabase('partitions of the event log', (use) => {
  const now = () => use().db.clock.now().getTime()
  const days = (from: number, count: number) => Array.from({ length: count }, (_, n) => dayOf(now() + (from + n) * day))
  const place = (id: string) =>
    use().owner<{ partition: string }>(
      'select tableoid::regclass::text as partition from event_batches where $1 = any (subject_ids)',
      [id],
    )
  const partitions = async () =>
    (
      await use().owner<{ name: string }>(`select inhrelid::regclass::text as name from pg_inherits
      where inhparent = 'event_batches'::regclass order by 1`)
    ).map((row) => row.name)
  const change = (subject: string, at: number) =>
    use()
      .db.forTenant(tenant)
      .write((tx) => changeSubject(tx, subject, new Date(at)))

  async function clear(): Promise<void> {
    for (const name of await partitions()) if (name !== 'events_default') await use().owner(`drop table ${name}`)
  }

  test('makes those of today and four days more, once, however many processes try', async () => {
    await clear()
    const rounds = await Promise.all([1, 2, 3].map(() => keepEventPartitions(use().db)))
    expect(rounds.flatMap((round) => round.made).sort()).toEqual(days(0, 5))
    expect((await keepEventPartitions(use().db)).made).toEqual([])
    const names = ['events_default', ...days(0, 5).map((name) => `events_${name.replaceAll('-', '')}`)]
    expect(await partitions()).toEqual(names.sort())
    await change('today', now())
    await change('old', now() - 40 * day)
    expect(await place('today')).toEqual([{ partition: `events_${days(0, 1)[0]!.replaceAll('-', '')}` }])
    expect(await place('old')).toEqual([{ partition: 'events_default' }])
  })

  test('are made while events are written, by several processes at once', async () => {
    await clear()
    const writing = new AbortController()
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      let written = 0
      while (!writing.signal.aborted) await change(`w${writer}-${written++}`, now())
      return written
    })
    const { url } = use()
    const processes = await Promise.all(
      (url === undefined ? [] : [url, url, url, url]).map((each) =>
        openDatabase({ kind: 'postgres', url: each, poolSize: 2 }),
      ),
    )
    const databases = url === undefined ? [use().db] : processes
    try {
      for (let round = 0; round < 4; round++) {
        const rounds = await Promise.all(databases.map((database) => keepEventPartitions(database)))
        expect(rounds.flatMap(({ made }) => made).length).toBeLessThanOrEqual(5)
        expect(rounds.flatMap(({ dropped }) => dropped)).toEqual([])
      }
    } finally {
      writing.abort()
      const written = (await Promise.all(writers)).reduce((sum, n) => sum + n, 0)
      await Promise.all(processes.map((database) => database.close()))
      const [row] = await use().owner<{ n: number }>('select count(*)::int as n from event_batches')
      expect(row!.n).toBe(written)
    }
  })

  test('the log reads across partitions as if there were none', async () => {
    await clear()
    await keepEventPartitions(use().db)
    for (const [index, at] of [0, 1, -3, 4, 30, 0].entries()) {
      await change('s', now() + at * day)
      if (index % 2 === 1) await tick(use().db)
    }
    const events = await use()
      .db.asSystem('test')
      .read((tx) => readEvents(tx, parseCursor(`1.0.${endOfTick}`), 10))
    expect(events.map(nameOf)).toEqual(['s@1', 's@2', 's@3', 's@4', 's@5', 's@6'])
  })

  test('a partition is confined to its tenant like any table, and reached through the log alone', async () => {
    await clear()
    await keepEventPartitions(use().db)
    const name = `events_${dayOf(now()).replaceAll('-', '')}`
    const [row] = await use().owner(
      `
      select relrowsecurity and relforcerowsecurity as confined,
        (select array_agg(polname::text order by polname)::text from pg_policy where polrelid = c.oid) as policies
      from pg_class c where relname = $1`,
      [name],
    )
    expect(row).toEqual({ confined: true, policies: '{system_access,tenant_isolation}' })
    await change('mine', now())
    const stranger = use().db.forTenant(asId<TenantId>('stranger'))
    expect(await stranger.read((tx) => tx.query(sql`select * from events`))).toEqual([])
    const event = { tenant, type: 'x.y', subject: { kind: 'x', id: 'x', rev: 1 }, runId: null, at: new Date(now()) }
    await expect(stranger.write((tx) => appendEvents(tx, [event]))).rejects.toThrow('row-level security')
    const direct = { text: `select * from ${name}`, values: [] }
    await expect(
      use()
        .db.forTenant(tenant)
        .read((tx) => tx.query(direct)),
    ).rejects.toThrow('permission denied')
  })

  test('a day whose events lie in the default partition already stays there', async () => {
    await clear()
    await change('early', now() + day)
    const round = await keepEventPartitions(use().db)
    expect(round.made).toEqual(days(0, 5).filter((name) => name !== days(1, 1)[0]))
    await change('later', now() + day)
    expect(await place('later')).toEqual([{ partition: 'events_default' }])
    expect((await keepEventPartitions(use().db)).made).toEqual([])
  })

  test('goes only when it is old and every durable cursor has passed it', async () => {
    const { db, owner } = use()
    await clear()
    const system = db.asSystem('test')
    const old = now() - 40 * day
    await owner('select make_event_partition($1)', [dayOf(old)])
    await owner('select make_event_partition($1)', [dayOf(old - day)])
    await owner('select make_event_partition($1)', [dayOf(now() - 10 * day)])
    await system.write((tx) => claimCursor(tx, 'slow', db.clock.now()))
    await change('a', old)
    await change('b', old)
    await tick(db)
    await change('c', now())
    await tick(db)
    await system.write((tx) => claimCursor(tx, 'fast', db.clock.now()))

    const first = await keepEventPartitions(db)
    expect(first.dropped).toEqual([dayOf(old - day)])
    expect(first.held).toEqual([{ day: dayOf(old), cursors: [{ name: 'slow', movedAt: expect.any(Date) }] }])

    const [a] = await system.read((tx) => readEvents(tx, parseCursor(`1.0.${endOfTick}`), 1))
    await system.write((tx) => saveCursor(tx, 'slow', { epoch: 1, tick: a!.tick, seq: a!.seq }, db.clock.now()))
    expect((await keepEventPartitions(db)).held).toEqual([
      { day: dayOf(old), cursors: [{ name: 'slow', movedAt: expect.any(Date) }] },
    ])
    const rest = await system.read((tx) => readEvents(tx, { epoch: 1, tick: a!.tick, seq: a!.seq }, 9))
    expect(rest.map(nameOf)).toEqual(['b@1', 'c@1'])

    // Still in the middle of the batch: b could be read again. With c the batch is behind it.
    await system.write((tx) =>
      saveCursor(tx, 'slow', { epoch: 1, tick: rest[1]!.tick, seq: rest[1]!.seq }, db.clock.now()),
    )
    const last = await keepEventPartitions(db)
    expect(last.held).toEqual([])
    expect(last.dropped).toEqual([dayOf(old)])
    expect(await partitions()).toContain(`events_${dayOf(now() - 10 * day).replaceAll('-', '')}`)
    expect((await use().owner<{ id: string }>('select subject_id as id from events')).map((row) => row.id)).toEqual([
      'c',
    ])
  })

  test('the database itself refuses to drop the last days', async () => {
    await expect(use().owner('select drop_event_partition($1)', [dayOf(now())])).rejects.toThrow('too young')
    await expect(use().owner('select drop_event_partition($1)', [dayOf(now() - day)])).rejects.toThrow('too young')
    expect(await use().owner('select drop_event_partition($1) as done', ['2020-01-01'])).toEqual([{ done: false }])
  })

  test('ticks older than a day go as far as no cursor needs them, old events without a partition with them', async () => {
    const { db, owner } = use()
    await clear()
    for (let n = 0; n < 6; n++) {
      await change(`s${n}`, n < 3 ? now() - 50 * day : now())
      await tick(db)
    }
    await owner(`update ticks set at = now() - interval '2 days' where id < 6`)
    const system = db.asSystem('test')
    await system.write((tx) => claimCursor(tx, 'c', db.clock.now()))
    await system.write((tx) => saveCursor(tx, 'c', { epoch: 1, tick: 3, seq: endOfTick }, db.clock.now()))

    const first = await keepEventPartitions(db)
    expect(first.prunedTicks).toBe(2)
    const from = { epoch: 1, tick: 3, seq: endOfTick }
    expect((await system.read((tx) => readEvents(tx, from, 9))).map(nameOf)).toEqual(['s3@1', 's4@1', 's5@1'])

    await system.write((tx) => saveCursor(tx, 'c', { epoch: 1, tick: 6, seq: endOfTick }, db.clock.now()))
    const second = await keepEventPartitions(db)
    expect((await owner<{ id: string }>('select id from ticks order by id')).map((row) => Number(row.id))).toEqual([
      5, 6,
    ])
    expect(first.prunedEvents + second.prunedEvents).toBe(3)
    expect(second.prunedTicks).toBe(3)
    expect((await keepEventPartitions(db, { keepTicksMs: 0 })).prunedTicks).toBe(0)
  })

  test('the loop keeps them from its start on', async () => {
    await clear()
    const made: string[] = []
    const onError = (error: unknown) => expect(error).toBeUndefined()
    const loop = startEventPartitions(use().db, { onRound: (round) => made.push(...round.made), onError })
    await eventually(() => made.length === 5)
    await loop.stop()
  })
})

eachDatabase(
  'partitions of the event log',
  (use) => {
    test('an owner of the tables who is no superuser, as managed servers have it, is enough', async () => {
      const { owner, url } = use()
      const name = `plain_${process.pid}`
      await owner(`create role ${name} login password 'plain'`)
      await owner(`grant leanvibe_app, leanvibe_system to ${name}`)
      await owner(`create database ${name} owner ${name}`)
      const own = Object.assign(new URL(url!), { pathname: `/${name}`, username: name, password: 'plain' }).href
      const db = await openDatabase({ kind: 'postgres', url: own })
      try {
        const at = db.clock.now()
        await db.forTenant(tenant).write((tx) => changeSubject(tx, 'early', new Date(at.getTime() + day)))
        const round = await keepEventPartitions(db)
        expect(round.made).toHaveLength(4)
        await db.forTenant(tenant).write((tx) => changeSubject(tx, 'now', at))
        await tick(db)
        const events = await db.asSystem('test').read((tx) => readEvents(tx, parseCursor(`1.0.${endOfTick}`), 9))
        expect(events.map(nameOf)).toEqual(['early@1', 'now@1'])
        await db.asSystem('test').write((tx) => tx.query(sql`select make_event_partition('2020-01-01'::date)`))
        expect((await keepEventPartitions(db)).dropped).toEqual(['2020-01-01'])
      } finally {
        await db.close()
        await owner(`drop database ${name} with (force)`)
        await owner(`drop role ${name}`)
      }
    })
  },
  { kinds: ['postgres'] },
)
