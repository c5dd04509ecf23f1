import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { asId, type RunId, type TaskId, type TenantId } from '../../foundation/kernel/ids.ts'
import { seededRandom } from '../../foundation/kernel/random.ts'
import type { LogChunk } from '../../orchestration/runners/log-sink.ts'
import { followLogs } from './follow-logs.ts'
import { type LogFilter, type LogPlace, type LogRow, LogStore, logChannel, readLogs } from './log-store.ts'

const tenant = asId<TenantId>('default')
const runId = asId<RunId>('run_1')
const everything: LogFilter = { tenant, runId, taskPrefix: null }

function chunk(task: string, seq: number, over: Partial<LogChunk> = {}): LogChunk {
  return {
    tenant,
    runId,
    taskId: asId<TaskId>(task),
    step: 's',
    item: null,
    attempt: 1,
    fence: 1,
    seq,
    stream: 'stdout',
    at: '2026-01-01T00:00:00.000Z',
    bytes: Buffer.from(`${task}/${seq}\n`),
    ...over,
  }
}

const nameOf = (row: LogRow) => `${row.taskId}/${row.fence}/${row.part}`

eachDatabase('the log store', (use) => {
  const store = () => new LogStore(use().db)
  const page = (place: LogPlace | null, limit = 1_000, filter = everything) =>
    use()
      .db.forTenant(filter.tenant)
      .read((tx) => readLogs(tx, filter, place, limit))

  async function readAll(filter = everything, limit = 1_000): Promise<LogRow[]> {
    const rows: LogRow[] = []
    for (let place: LogPlace | null = null; ; ) {
      const next = await page(place, limit, filter)
      rows.push(...next.rows)
      place = next.place
      if (!next.full) return rows
    }
  }

  test('gives back the bytes that were printed, any bytes, with their place', async () => {
    const bytes = Uint8Array.from({ length: 512 }, (_, n) => n % 256)
    await store().append([
      chunk('task_1', 0, { bytes, stream: 'stderr', fence: 7 }),
      chunk('task_1', 1, { bytes: new Uint8Array(), fence: 7 }),
    ])
    const [first, second] = await readAll()
    expect(first).toEqual({
      taskId: asId<TaskId>('task_1'),
      fence: 7,
      part: 0,
      stream: 'stderr',
      at: new Date('2026-01-01T00:00:00Z'),
      bytes: Buffer.from(bytes),
    } satisfies LogRow)
    expect(second!.bytes).toHaveLength(0)
  })

  test('a batch that comes twice is kept once, also where only a part of it is known', async () => {
    await store().append([chunk('a', 0), chunk('a', 1)])
    await store().append([chunk('a', 0, { bytes: Buffer.from('other') }), chunk('a', 1), chunk('a', 2)])
    const rows = await readAll()
    expect(rows.map(nameOf)).toEqual(['a/1/0', 'a/1/1', 'a/1/2'])
    expect(String(rows[0]!.bytes)).toBe('a/0\n')
  })

  test('tasks, runs and tenants are told apart', async () => {
    const other = asId<TenantId>('other')
    await store().append([
      chunk('task_1.0.s', 0),
      chunk('task_1.0.1', 0),
      chunk('task_1.01.s', 0),
      chunk('task_1.0.s', 0, { tenant: other }),
      chunk('task_9.0.s', 0, { runId: asId<RunId>('run_9') }),
    ])
    const tasks = async (filter: Partial<LogFilter>) =>
      (await readAll({ ...everything, ...filter })).map((row) => row.taskId).sort()
    expect(await tasks({})).toEqual(['task_1.0.1', 'task_1.0.s', 'task_1.01.s'])
    expect(await tasks({ taskPrefix: 'task_1.0' })).toEqual(['task_1.0.1', 'task_1.0.s'])
    expect(await tasks({ taskPrefix: 'task_1.0.s' })).toEqual(['task_1.0.s'])
    expect(await tasks({ tenant: other })).toEqual(['task_1.0.s'])
    expect(await tasks({ runId: asId<RunId>('run_9') })).toEqual(['task_9.0.s'])
  })

  test('pages of any size hold each chunk once, in the order of arrival', async () => {
    const batch = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(1, 2)), {
      minLength: 1,
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 8 }), fc.integer({ min: 1, max: 5 }), async (batches, limit) => {
        await use().reset()
        const next = new Map<string, number>()
        const arrived: string[] = []
        for (const items of batches) {
          const chunks = items.map(([task, fence]) => {
            const seq = next.get(`${task}/${fence}`) ?? 0
            next.set(`${task}/${fence}`, seq + 1)
            return chunk(task, seq, { fence })
          })
          await store().append(chunks)
          arrived.push(
            ...chunks
              .map((c) => `${c.taskId}/${c.fence}/${String(c.seq).padStart(3)}`)
              .sort()
              .map((name) => name.replaceAll(' ', '')),
          )
        }
        expect((await readAll(everything, limit)).map(nameOf)).toEqual(arrived)
      }),
      { numRuns: 20 },
    )
  })

  test('following prints what comes, is woken by a hint, and ends when it is over and all was read', async () => {
    const { db } = use()
    let over = false
    const stop = new AbortController()
    const texts: string[] = []
    const following = (async () => {
      const options = {
        filter: everything,
        isOver: async () => over,
        pollMs: 60_000,
        minIntervalMs: 1,
        signal: stop.signal,
      }
      for await (const { text } of followLogs(db, options)) {
        texts.push(text)
        if (texts.length < 5)
          await store().append([chunk('a', texts.length, { bytes: Buffer.from(`${texts.length}€`).subarray(0, 3) })])
        // The run ends, but nobody says so: the next hint is about output.
        else over = true
        if (over) db.notify(logChannel, runId)
      }
    })()
    await store().append([chunk('a', 0)])
    await following
    expect(texts.slice(0, 2)).toEqual(['a/0\n', '1'])
    expect(texts.at(-1)).toBe('\ufffd')
  })

  test('following stops when the reader has had enough', async () => {
    const stop = new AbortController()
    const options = { filter: everything, isOver: async () => false, pollMs: 60_000, signal: stop.signal }
    const following = followLogs(use().db, options).next()
    stop.abort()
    expect(await following).toEqual({ done: true, value: undefined })
  })
})

eachDatabase(
  'the log store',
  (use) => {
    test('a follower beside many writers skips and doubles nothing, however late a batch is committed', async () => {
      const { db } = use()
      const store = new LogStore(db)
      const writers = 8
      const batches = 25
      let done = 0
      const seen: LogRow[] = []
      // One writer keeps its transaction open all the while.
      const held = Promise.withResolvers<void>()
      const holding = Promise.withResolvers<void>()
      const late = db.forTenant(tenant).write(async (tx) => {
        await tx.execute({
          text: `insert into log_chunks (tenant_id, task_id, fence, part, run_id, stream, at, bytes)
            values ('default', 'late', 1, 0, 'run_1', 'stdout', now(), 'x')`,
          values: [],
        })
        holding.resolve()
        await held.promise
      })
      await holding.promise
      const writing = Array.from({ length: writers }, async (_, writer) => {
        const random = seededRandom(writer)
        for (let n = 0, seq = 0; n < batches; n++) {
          const size = 1 + Math.floor(random.next() * 4)
          await store.append(Array.from({ length: size }, () => chunk(`t${writer}`, seq++)))
        }
        done += 1
      })
      let place: LogPlace | null = null
      const random = seededRandom(99)
      const readOn = async () => {
        const from: LogPlace | null = place
        const limit = 1 + Math.floor(random.next() * 20)
        const next = await db.forTenant(tenant).read((tx) => readLogs(tx, everything, from, limit))
        seen.push(...next.rows)
        place = next.place
        return next.full
      }
      while (done < writers) await readOn()
      await Promise.all(writing)
      while (await readOn());
      expect(seen.map(nameOf)).not.toContain('late/1/0')
      held.resolve()
      await late
      while (await readOn());
      const rows = await use().owner<{ name: string }>(
        `select task_id || '/' || fence || '/' || part as name from log_chunks`,
      )
      expect(seen.map(nameOf).sort()).toEqual(rows.map((row) => row.name).sort())
      for (const list of Map.groupBy(seen, (row) => row.taskId).values()) {
        expect(list.map((row) => row.part)).toEqual(list.map((_, index) => index))
      }
    })

    test('a run is found by its index, also within one tenant of many runs', async () => {
      const { db, owner } = use()
      await owner(`insert into log_chunks (tenant_id, task_id, fence, part, run_id, stream, at, bytes)
        select 'default', 't' || n % 1000, n, 0, 'run_' || n % 500, 'stdout', now(), 'x' from generate_series(1, 50000) n`)
      await owner('analyze log_chunks')
      const plans: string[] = []
      await db.forTenant(tenant).read(async (tx) => {
        const explaining = {
          tenant: tx.tenant,
          async query<Row>(query: Parameters<typeof tx.query>[0]) {
            if (!query.text.includes('log_chunks')) return tx.query<Row>(query)
            const rows = await tx.query<{ 'QUERY PLAN': string }>({ ...query, text: `explain ${query.text}` })
            plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
            return []
          },
        }
        const { place } = await readLogs(explaining, everything, null, 10)
        await readLogs(explaining, everything, place, 10)
      })
      expect(plans).toHaveLength(2)
      for (const plan of plans) {
        expect(plan).toContain('log_chunks_run')
        expect(plan).not.toContain('Seq Scan')
      }
    })
  },
  { kinds: ['postgres'], idleInTransactionMs: 60_000 },
)
