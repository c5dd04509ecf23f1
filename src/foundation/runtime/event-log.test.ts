import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { seededRandom } from '../kernel/random.ts'
import type { Database, Tx } from '../platform/database/database.ts'
import { parseCursor, tailPosition } from './cursors.ts'
import { appendEvents, endOfTick, readEvents } from './event-log.ts'
import { CursorReader, changeSubject, committed, eventually, faultsOf, nameOf, tenant, tick } from './log.fixture.ts'
import { startTicker } from './ticker.ts'

const rolledBack = new Error('rolled back on purpose')

/** A transaction that is told step by step what to do, so that a test decides when it commits. */
class Writer {
  readonly ended: Promise<void>
  #steps: (((tx: Tx) => Promise<unknown>) | 'commit' | 'rollback')[] = []
  #wake = () => {}
  #results: PromiseWithResolvers<void>[] = []

  constructor(db: Database) {
    this.ended = db
      .forTenant(tenant)
      .write((tx) => this.#work(tx), { retries: 0 })
      .catch((error) => {
        if (error !== rolledBack) throw error
      })
  }

  do(step: (tx: Tx) => Promise<unknown>): Promise<void> {
    const result = Promise.withResolvers<void>()
    this.#steps.push(step)
    this.#results.push(result)
    this.#wake()
    return result.promise
  }

  end(how: 'commit' | 'rollback'): Promise<void> {
    this.#steps.push(how)
    this.#wake()
    return this.ended
  }

  async #work(tx: Tx): Promise<void> {
    for (;;) {
      const step = this.#steps.shift()
      if (step === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
      else if (step === 'commit') return
      else if (step === 'rollback') throw rolledBack
      else {
        await step(tx)
        this.#results.shift()!.resolve()
      }
    }
  }
}

/** Waits for a step, but not for one that waits for the lock of another writer, who goes on only when told to. */
async function settledOrStuck(step: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const stuck = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 8)
  })
  await Promise.race([step, stuck])
  clearTimeout(timer)
}

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('append' as const), writer: fc.nat(4), subject: fc.nat(3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('commit' as const, 'rollback' as const), writer: fc.nat(4) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), limit: fc.integer({ min: 1, max: 5 }) }) },
)

eachDatabase(
  'the event log',
  (use) => {
    test('skips, doubles and inverts nothing, whatever the order of commits, ticks and reads', async () => {
      const { db } = use()
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 60 }), fc.nat(1_000), async (commands, place) => {
          await use().reset()
          const reader = new CursorReader(await db.asSystem('test').read(tailPosition))
          const idle = new Writer(db)
          await idle.do((tx) => changeSubject(tx, 'idle', db.clock.now()))
          const open = new Map<number, { writer: Writer; last: number }>()
          const ended: Promise<void>[] = []

          for (const item of commands) {
            if (item.kind === 'tick') await tick(db)
            else if (item.kind === 'read') await reader.read(db, item.limit)
            else if (item.kind === 'append') {
              const state = open.get(item.writer) ?? { writer: new Writer(db), last: -1 }
              open.set(item.writer, state)
              // Subjects are locked in one order, as everywhere, so that there are no deadlocks.
              if (item.subject < state.last) continue
              state.last = item.subject
              await settledOrStuck(state.writer.do((tx) => changeSubject(tx, `s${item.subject}`, db.clock.now())))
            } else {
              const state = open.get(item.writer)
              if (state === undefined) continue
              open.delete(item.writer)
              ended.push(state.writer.end(item.kind))
              await settledOrStuck(ended.at(-1)!)
            }
          }
          for (const { writer } of open.values()) ended.push(writer.end('commit'))
          await Promise.all(ended)

          // The idle transaction is still open: it holds up nobody's events, and its own are not lost.
          await tick(db)
          await reader.readAll(db, 3)
          expect(reader.seen.map(nameOf).sort()).toEqual(await db.asSystem('test').read(committed))
          await idle.end('commit')
          await tick(db)
          await reader.readAll(db, 3)
          expect(reader.seen.map(nameOf)).toContain('idle@1')
          expect(reader.seen.map(nameOf).sort()).toEqual(await db.asSystem('test').read(committed))
          expect(faultsOf(reader.seen)).toEqual([])

          const from = place % reader.seen.length
          const { tick: at, seq } = reader.seen[from]!
          const again = new CursorReader({ epoch: 1, tick: at, seq })
          await again.readAll(db, 4)
          expect(again.seen).toEqual(reader.seen.slice(from + 1))
        }),
        { numRuns: 60 },
      )
    }, 120_000)

    test('many writers at once, a ticker, and a transaction that idles throughout', async () => {
      const { db } = use()
      const start = await db.asSystem('test').read(tailPosition)
      const idle = new Writer(db)
      await idle.do((tx) => changeSubject(tx, 'idle', db.clock.now()))
      const errors: unknown[] = []
      const ticker = startTicker(db, { minIntervalMs: 1, pollMs: 1, onError: (error) => errors.push(error) })
      const reader = new CursorReader(start)
      let writing = true
      const reading = (async () => {
        const random = seededRandom(7)
        while (writing) await reader.read(db, 1 + Math.floor(random.next() * 50))
      })()

      await Promise.all(
        Array.from({ length: 16 }, async (_, writer) => {
          const random = seededRandom(writer)
          for (let n = 0; n < 60; n++) {
            const subjects = [0, 1, 2, 3, 4, 5, 6, 7].filter(() => random.next() < 0.3)
            const fails = random.next() < 0.2
            const change = async (tx: Tx) => {
              for (const subject of subjects) await changeSubject(tx, `s${subject}`, db.clock.now())
              if (fails) throw rolledBack
            }
            await db
              .forTenant(tenant)
              .write(change)
              .catch((error) => {
                if (error !== rolledBack) throw error
              })
          }
        }),
      )
      writing = false
      await reading
      const names = await db.asSystem('test').read(committed)
      await eventually(() => reader.readAll(db, 100).then(() => reader.seen.length >= names.length))
      expect(names.length).toBeGreaterThan(1_000)
      expect(reader.seen.map(nameOf).sort()).toEqual(names)

      await idle.end('commit')
      await ticker.stop()
      await tick(db)
      await reader.readAll(db, 100)
      expect(reader.seen.map(nameOf).sort()).toEqual(await db.asSystem('test').read(committed))
      expect(faultsOf(reader.seen)).toEqual([])
      const second = new CursorReader(start)
      await second.readAll(db, 7)
      expect(second.seen).toEqual(reader.seen)
      expect(errors).toEqual([])
    })

    test('two processes ticking at once never cut the same batch', async () => {
      const { db } = use()
      for (let round = 0; round < 20; round++) {
        await db.forTenant(tenant).write((tx) => changeSubject(tx, 's', db.clock.now()))
        const ticks = await Promise.all([tick(db), tick(db), tick(db), tick(db)])
        expect(ticks.filter((id) => id !== null)).toHaveLength(1)
      }
      const rows = await use().owner<{ id: string }>('select id from ticks order by id')
      expect(rows.map((row) => Number(row.id))).toEqual(Array.from({ length: 21 }, (_, id) => id))
    })
  },
  { kinds: ['postgres'], poolSize: 24, idleInTransactionMs: 60_000, lockTimeoutMs: 60_000 },
)

eachDatabase('the event log', (use) => {
  test('reads what was committed between ticks, in any portions, and nothing that was rolled back', async () => {
    const { db } = use()
    const change = fc.record({ subjects: fc.uniqueArray(fc.nat(4), { maxLength: 4 }), fails: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 3, arbitrary: change }, { weight: 1, arbitrary: fc.constant('tick' as const) }), {
          maxLength: 25,
        }),
        fc.integer({ min: 1, max: 9 }),
        async (steps, limit) => {
          await use().reset()
          const reader = new CursorReader(await db.asSystem('test').read(tailPosition))
          for (const step of steps) {
            if (step === 'tick') await tick(db)
            else {
              const write = db.forTenant(tenant).write(async (tx) => {
                for (const subject of step.subjects) await changeSubject(tx, `s${subject}`, db.clock.now())
                if (step.fails) throw rolledBack
              })
              await write.catch((error) => {
                if (error !== rolledBack) throw error
              })
            }
            await reader.read(db, limit)
          }
          await tick(db)
          await reader.readAll(db, limit)
          expect(reader.seen.map(nameOf).sort()).toEqual(await db.asSystem('test').read(committed))
          expect(faultsOf(reader.seen)).toEqual([])
        },
      ),
      { numRuns: 30 },
    )
  })

  test('an event comes back as it was written', async () => {
    const { db } = use()
    const at = new Date('2026-03-01T10:00:00.123Z')
    await db.forTenant(tenant).write((tx) => changeSubject(tx, 'a "b" \\ c', at))
    const id = await tick(db)
    const events = await db.asSystem('test').read((tx) => readEvents(tx, parseCursor('1.0.9007199254740991'), 10))
    expect(events).toEqual([
      {
        tick: id,
        seq: expect.any(Number),
        tenant,
        type: 'thing.changed',
        subject: { kind: 'thing', id: 'a "b" \\ c', rev: 1 },
        runId: null,
        at,
        data: { rev: 1 },
      },
    ])
  })

  test('each batch holds what the tick before it saw in progress', async () => {
    const { db, owner } = use()
    await owner(`update ticks set snapshot = '10:10:' where id = 0`)
    await owner(`insert into ticks (id, epoch, snapshot, at) values (1, 1, '10:15:10,11,12', now()),
      (2, 1, '10:17:10,12', now()), (3, 1, '10:18:10', now()), (4, 1, '20:20:', now())`)
    await owner(`insert into event_batches (xid, tenant_id, type, subject_kind, at, subject_ids, subject_revs, data)
      select x::text::xid8, 'default', 'thing.changed', 'thing', now(), array[x::text], array[1], array[null]
      from generate_series(10, 19) x`)
    const reader = new CursorReader({ epoch: 1, tick: 0, seq: endOfTick })
    await reader.readAll(db, 100)
    const batches = [1, 2, 3, 4].map((id) =>
      reader.seen
        .filter((e) => e.tick === id)
        .map((e) => e.subject.id)
        .join(' '),
    )
    expect(batches).toEqual(['13 14', '11 15 16', '12 17', '10 18 19'])
  })

  test('what PostgreSQL cannot store in an event becomes U+FFFD', async () => {
    const { db } = use()
    await db.forTenant(tenant).write((tx) =>
      appendEvents(tx, [
        {
          ...{ tenant, type: 'thing.changed', subject: { kind: 'thing', id: 'nul', rev: 1 }, runId: null },
          ...{ at: db.clock.now(), data: { text: 'a\0b', half: '\ud800' } },
        },
      ]),
    )
    await tick(db)
    const events = await db.asSystem('test').read((tx) => readEvents(tx, { epoch: 1, tick: 0, seq: endOfTick }, 10))
    expect(events.map((event) => event.data)).toEqual([{ text: 'a\ufffdb', half: '\ufffd' }])
  })

  test('nothing changed: no tick', async () => {
    const { db } = use()
    expect(await tick(db)).toBeNull()
    await db.forTenant(tenant).write((tx) => changeSubject(tx, 's', db.clock.now()))
    expect(await tick(db)).toBe(1)
    expect(await tick(db)).toBeNull()
  })

  test('a commit that appended events is a beat of the pulse; a look, a rollback and other writes are none', async () => {
    const { db } = use()
    let beats = 0
    const end = db.pulse.onBeat(() => void beats++)
    await db.forTenant(tenant).write((tx) => changeSubject(tx, 's', db.clock.now()))
    expect(beats).toBe(1)
    await tick(db)
    await db.asSystem('test').read(tailPosition)
    const failing = db.forTenant(tenant).write(async (tx) => {
      await changeSubject(tx, 's', db.clock.now())
      throw rolledBack
    })
    await expect(failing).rejects.toBe(rolledBack)
    expect(beats).toBe(1)
    end()
  })

  test('a reader far behind goes through more ticks than one read spans', async () => {
    const { db } = use()
    const start = await db.asSystem('test').read(tailPosition)
    for (let n = 0; n < 260; n++) {
      await db.forTenant(tenant).write((tx) => changeSubject(tx, 's', db.clock.now()))
      await tick(db)
    }
    const reader = new CursorReader(start)
    await reader.readAll(db, 1_000)
    expect(reader.seen).toHaveLength(260)
    expect(faultsOf(reader.seen)).toEqual([])
  })
})
