import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { ManualClock } from '../kernel/clock.ts'
import { seededRandom } from '../kernel/random.ts'
import type { Database, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { startConsumer } from './consumer.ts'
import type { LoggedEvent } from './event-log.ts'
import { changeSubject, committed, eventually, nameOf, tenant, tick } from './log.fixture.ts'
import { startTicker } from './ticker.ts'

const killed = new Error('killed on purpose')

/** Takes effect by adding a row for each event: applied twice, it breaks the key; out of order, it is found by its number. */
async function apply(tx: Tx, events: readonly LoggedEvent[]): Promise<void> {
  for (const event of events) {
    await tx.execute(sql`
      insert into timers (tenant_id, id, kind, subject_id, due_at, data)
      values (${tenant}, ${`applied ${nameOf(event)}`}, 'applied', ${event.subject.id}, ${event.at},
        jsonb_build_object('rev', ${event.subject.rev}::int, 'n', nextval('fences')))`)
  }
}

const applied = async (db: Database) =>
  db.asSystem('test').read((tx) =>
    tx.query<{ name: string; subject: string; rev: number }>(sql`
      select substr(id, 9) as name, subject_id as subject, (data->>'rev')::int as rev from timers where kind = 'applied'
      order by (data->>'n')::bigint`),
  )

eachDatabase('a durable consumer', (use) => {
  test('applies each event exactly once and in order, although it is killed again and again', async () => {
    const { db } = use()
    const errors: unknown[] = []
    const onError = (error: unknown) => void errors.push(error)
    await using ticker = {
      ...startTicker(db, { minIntervalMs: 1, pollMs: 5, onError }),
      [Symbol.asyncDispose]: () => ticker.stop(),
    }
    // Two processes compete for the cursor; each dies before, in the middle of or after its work, one time in three.
    const consumers = [1, 2].map((seed) => {
      const random = seededRandom(seed)
      const handle = async (tx: Tx, events: readonly LoggedEvent[]) => {
        const fate = random.next()
        if (fate < 0.1) throw killed
        const part = fate < 0.2 ? Math.floor(events.length / 2) : events.length
        await apply(tx, events.slice(0, part))
        if (fate < 0.33) throw killed
      }
      return startConsumer(db, { name: 'test', handle, limit: 7, pollMs: 5, onError })
    })
    // A reader that begins at the present end has none before its first step.
    await eventually(async () => (await use().owner('select from cursors')).length === 1)

    const random = seededRandom(3)
    for (let n = 0; n < 80; n++) {
      const subjects = [0, 1, 2, 3].filter(() => random.next() < 0.6)
      await db.forTenant(tenant).write(async (tx) => {
        for (const subject of subjects) await changeSubject(tx, `s${subject}`, db.clock.now())
      })
    }
    const names = await db.asSystem('test').read(committed)
    await eventually(async () => (await applied(db)).length >= names.length, 20_000)
    for (const consumer of consumers) await consumer.stop()

    const rows = await applied(db)
    expect(rows.map((row) => row.name).sort()).toEqual(names)
    const revs = Map.groupBy(rows, (row) => row.subject)
    for (const list of revs.values()) expect(list.map((row) => row.rev)).toEqual(list.map((_, index) => index + 1))
    expect(errors.length).toBeGreaterThan(0)
    expect(new Set(errors)).toEqual(new Set([killed]))
  })

  test('goes on where it was after a new epoch of the log, and starts at the end when it is new', async () => {
    const { db } = use()
    const onError = (error: unknown) => expect(error).toBeUndefined()
    const ticker = startTicker(db, { minIntervalMs: 1, pollMs: 5, onError })
    const change = () => db.forTenant(tenant).write((tx) => changeSubject(tx, 's', db.clock.now()))
    await change()
    await eventually(async () => (await use().owner('select from ticks')).length === 2)

    const start = () => startConsumer(db, { name: 'test', handle: apply, pollMs: 5, onError })
    const first = start()
    await eventually(async () => (await use().owner('select from cursors')).length === 1)
    await change()
    await eventually(async () => (await applied(db)).length === 1)
    await first.stop()
    await change()
    await use().owner(`insert into log_epochs (epoch, reason) values (2, 'promotion')`)
    await change()
    const second = start()
    await eventually(async () => (await applied(db)).length === 3)
    await second.stop()
    await ticker.stop()
    expect((await applied(db)).map((row) => row.name)).toEqual(['s@2', 's@3', 's@4'])
    expect(await use().owner('select epoch from cursors')).toEqual([{ epoch: 2 }])
  })

  test('lets events gather after it has worked; the first after a pause and a backlog do not wait', async () => {
    const { db } = use()
    const onError = (error: unknown) => expect(error).toBeUndefined()
    const steered = new ManualClock()
    let asked = 0
    const clock = {
      monotonic: () => {
        asked++
        return steered.monotonic()
      },
    }
    const batches: string[][] = []
    const handle = async (_tx: Tx, events: readonly LoggedEvent[]) => void batches.push(events.map(nameOf))
    const consumer = startConsumer(db, { name: 'test', handle, limit: 3, gatherMs: 50, pollMs: 5, clock, onError })
    await eventually(async () => (await use().owner('select from cursors')).length === 1)
    const change = async (times: number) => {
      for (let n = 0; n < times; n++) {
        await db.forTenant(tenant).write((tx) => changeSubject(tx, 's', db.clock.now()))
        await tick(db)
      }
    }
    await change(1)
    await eventually(() => batches.length === 1)
    await change(2)
    const before = asked
    await eventually(() => asked >= before + 3)
    expect(batches).toEqual([['s@1']])

    steered.advance(49)
    await change(3)
    const later = asked
    await eventually(() => asked >= later + 3)
    expect(batches).toHaveLength(1)
    steered.advance(1)
    await eventually(() => batches.length === 3)
    await consumer.stop()
    expect(batches).toEqual([['s@1'], ['s@2', 's@3', 's@4'], ['s@5', 's@6']])
  })
})
