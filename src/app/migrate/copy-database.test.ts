import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DatabaseKind, openTestDatabase, type TestDatabase } from '../../../test/support/databases.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { RunId, TaskId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { checkPosition, mapClientPosition, mapStoredPosition } from '../../foundation/runtime/cursors.ts'
import { type LoggedEvent, type LogPosition, readEvents } from '../../foundation/runtime/event-log.ts'
import { CursorReader, changeSubject, faultsOf, nameOf, tenant, tick } from '../../foundation/runtime/log.fixture.ts'
import { LogStore, readLogs } from '../../observability/logs/log-store.ts'
import { copyDatabase } from './copy-database.ts'
import type { Move } from './moves-store.ts'

const move: Move = { id: 'mov_1', direction: 'out', place: 'elsewhere', begunAt: new Date(), endedAt: null }
const copy = (source: TestDatabase, target: TestDatabase) => copyDatabase(source.db, target.db, move, () => {})
const opened: TestDatabase[] = []
/** Moving may think longer between two statements than others may. */
const open = async (kind: DatabaseKind) => {
  const database = await openTestDatabase(kind, { idleInTransactionMs: 60_000 })
  opened.push(database)
  return database
}
let databases: Record<DatabaseKind, { source: TestDatabase; target: TestDatabase }>

beforeAll(async () => {
  const pair = async (from: DatabaseKind, to: DatabaseKind) => ({ source: await open(from), target: await open(to) })
  databases = { pglite: await pair('pglite', 'postgres'), postgres: await pair('postgres', 'pglite') }
})
afterAll(() => Promise.all(opened.map((each) => each.close())))

/** All that a reader sees who begins at each place, as text. */
async function readFrom(db: Database, places: readonly LogPosition[]): Promise<readonly (readonly string[])[]> {
  const all: string[][] = []
  for (const place of places) {
    const seen: LoggedEvent[] = []
    let from = await db.asSystem('test').read((tx) => mapClientPosition(tx, place))
    for (;;) {
      const batch = await db.asSystem('test').read((tx) => readEvents(tx, from, 7))
      const last = batch.at(-1)
      if (last === undefined) break
      seen.push(...batch)
      from = { epoch: from.epoch, tick: last.tick, seq: last.seq }
    }
    expect(
      faultsOf(
        seen.filter((event) => seen.some(({ subject }) => subject.id === event.subject.id && subject.rev === 1)),
      ),
    ).toEqual([])
    all.push(seen.map((event) => `${event.tick}.${event.seq} ${nameOf(event)}`))
  }
  return all
}

const writes = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('change' as const), subject: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.constant({ kind: 'tick' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'hold' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
  ),
  { minLength: 5, maxLength: 30 },
)

test.each(['pglite', 'postgres'] as const)('every cursor reads the same behind a move from %s', async (kind) => {
  const { source, target } = databases[kind]
  const property = fc.asyncProperty(writes, async (steps) => {
    await Promise.all([source.reset(), target.reset()])
    const { db } = source
    let held = 0
    let open: { release: () => void; ended: Promise<unknown> } | null = null
    const release = async () => {
      open?.release()
      await open?.ended
      open = null
    }
    for (const step of steps) {
      if (step.kind === 'tick') await tick(db)
      else if (step.kind === 'release') await release()
      // The embedded database has one session: nobody else writes while a transaction is open.
      else if (step.kind === 'hold' && open === null && kind === 'postgres') {
        const gate = Promise.withResolvers<void>()
        const begun = Promise.withResolvers<void>()
        const subject = `held ${held++}`
        const ended = db.forTenant(tenant).write(async (tx) => {
          await changeSubject(tx, subject, new Date())
          begun.resolve()
          await gate.promise
        })
        await begun.promise
        open = { release: gate.resolve, ended }
      } else if (step.kind === 'change') {
        await db.forTenant(tenant).write((tx) => changeSubject(tx, `s${step.subject}`, new Date()))
      }
    }
    await release()
    await tick(db)
    const reader = new CursorReader({ epoch: 1, tick: 0, seq: Number.MAX_SAFE_INTEGER })
    await reader.readAll(db, 5)
    const places = reader.seen.map(({ tick, seq }) => ({ epoch: 1, tick, seq }))
    const before = await readFrom(db, places)
    const { epoch, log } = await copy(source, target)
    expect(epoch).toBe(2)
    expect(log.events).toBe(reader.seen.length)
    expect(await readFrom(target.db, places)).toEqual(before)
    // What comes next there is seen behind all that came along, whichever place a durable reader has.
    await target.db.forTenant(tenant).write((tx) => changeSubject(tx, 'next', new Date()))
    await tick(target.db)
    const last = places.at(-1) ?? { epoch: 1, tick: 0, seq: Number.MAX_SAFE_INTEGER }
    const next = await target.db
      .asSystem('test')
      .read(async (tx) => readEvents(tx, await mapStoredPosition(tx, last), 5))
    expect(next.map(nameOf)).toEqual(['next@1'])
    // A cursor of the present history alone is taken as it is; one from a future that did not come along is refused.
    await target.db.asSystem('test').read((tx) => checkPosition(tx, { epoch, tick: next[0]!.tick, seq: next[0]!.seq }))
    const lost = target.db.asSystem('test').read((tx) => mapClientPosition(tx, { epoch: 1, tick: 10_000, seq: 1 }))
    await expect(lost).rejects.toSatisfy((error) => isAppError(error, 'cursor-reset'))
  })
  await fc.assert(property, { numRuns: 5 })
})

test.each(['pglite', 'postgres'] as const)(
  'all kinds of values, sequences and logs come along from %s',
  async (kind) => {
    const { source, target } = databases[kind]
    await Promise.all([source.reset(), target.reset()])
    const { db } = source
    await db.forTenant(tenant).write(async (tx) => {
      await tx.execute(sql`insert into checkpoints (tenant_id, id, name, run_id, reason, document, created_at)
      values (${tenant}, 'c1', ${'näme "quoted" \\ {a,b} \n'}, 'r1', '', ${{ deep: [1.5, null, 'x'] }}, '2026-01-02 03:04:05.123456Z')`)
      await tx.execute(sql`insert into reservations (tenant_id, id, state, enforcement, if_lost, holder, priority, units, holds, expected,
      spent, budget_ids, budget_units, budget_windows, created_at, expires_at)
      values (${tenant}, 'res', 'held', 'metered', 'count', 'h', 3, ${['usd', 'a,"b']}::text[], '{9007199254740993,-1}', '{0,0}', '{}',
      '{}', '{}', array[null, 'infinity']::timestamptz[], now(), 'infinity')`)
    })
    const logs = new LogStore(db)
    const chunk = (task: string, seq: number) => ({
      ...{
        tenant,
        runId: 'r1' as RunId,
        taskId: task as TaskId,
        step: 's',
        item: null,
        attempt: 1,
        fence: 1,
        seq,
        stream: 'stdout' as const,
      },
      ...{ at: new Date().toISOString(), bytes: Buffer.from([0, 255, seq]) },
    })
    for (const [task, seq] of [
      ['b', 0],
      ['a', 0],
      ['b', 1],
      ['a', 1],
    ] as const)
      await logs.append([chunk(task, seq)])
    const [fences] = await source.owner<{ last: number }>(`select setval('fences', 4711)::int as last`)
    await copy(source, target)

    const contents = `select c::text as c, r::text as r from checkpoints c, reservations r`
    const alike = async (at: TestDatabase) => {
      await at.owner(`set timezone = 'UTC'`)
      return at.owner(contents)
    }
    expect(await alike(target)).toEqual(await alike(source))
    expect(await target.owner(`select nextval('fences')::int as next`)).toEqual([{ next: fences!.last + 1 }])
    const all = { tenant, runId: 'r1' as RunId, taskPrefix: null }
    const order = async (at: Database) =>
      (await at.forTenant(tenant).read((tx) => readLogs(tx, all, null, 50))).rows.map(
        (row) => `${row.taskId}${row.part}`,
      )
    expect(await order(target.db)).toEqual(['b0', 'a0', 'b1', 'a1'])
    await new LogStore(target.db).append([chunk('c', 0)])
    expect(await order(target.db)).toEqual(['b0', 'a0', 'b1', 'a1', 'c0'])
  },
)

test('a target with rows is refused and left alone; so is one of another version', async () => {
  const { source, target } = databases.pglite
  await Promise.all([source.reset(), target.reset()])
  await target.db
    .asSystem('test')
    .write((tx) => tx.execute(sql`insert into tenants (id, name) values ('other', 'Other')`))
  await expect(copy(source, target)).rejects.toSatisfy((error) => isAppError(error, 'move-target-not-empty'))
  expect(await target.owner('select id from tenants order by id')).toEqual([{ id: 'default' }, { id: 'other' }])
  await target.reset()
  await source.owner(`insert into migrations (version, name, risk, checksum) values (9999, '9999_future', 'low', 'x')`)
  await expect(copy(source, target)).rejects.toSatisfy((error) => isAppError(error, 'move-versions-differ'))
  await source.owner('delete from migrations where version = 9999')
})

test('what arrives otherwise than it was sent is found out, and nothing is committed', async () => {
  const { source, target } = databases.pglite
  await Promise.all([source.reset(), target.reset()])
  await source.db
    .forTenant(tenant)
    .write((tx) =>
      tx.execute(
        sql`insert into budgets (tenant_id, id, scope, scope_id, unit, spent) values (${tenant}, 'b', 'tenant', ${tenant}, 'usd', 5)`,
      ),
    )
  await target.owner(`create function spoil() returns trigger language plpgsql as $$ begin new.spent := new.spent + 1; return new; end $$;
    create trigger spoil before insert on budgets for each row execute function spoil()`)
  try {
    await expect(copy(source, target)).rejects.toSatisfy(
      (error) => isAppError(error, 'move-check-failed') && /budgets: .*"spent":"5"/s.test(error.message),
    )
    expect(await target.owner('select * from budgets')).toEqual([])
  } finally {
    await target.owner('drop trigger spoil on budgets; drop function spoil()')
  }
})
