import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { isAppError } from '../../kernel/errors.ts'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { withBeforeCommit } from './before-commit.ts'
import type { ReadTx, Tx } from './database.ts'
import { sqlStateOf, violates } from './database-errors.ts'
import { sql } from './sql.ts'

const a = asId<TenantId>('tenant_a')
const b = asId<TenantId>('tenant_b')
const insert = (tenant: TenantId, id: string, n = 0) =>
  sql`insert into things (tenant_id, id, n) values (${tenant}, ${id}, ${n})`
const count = sql`select count(*) from things`
const withCode = (code: string) => (error: unknown) => isAppError(error, code)

eachDatabase(
  'database',
  (use) => {
    test('a tenant sees and writes its own rows only', async () => {
      const { db } = use()
      await db.forTenant(a).write((tx) => tx.execute(insert(a, 'x', 7)))
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
      expect(await db.forTenant(b).read((tx) => tx.query(count))).toEqual([{ count: 0 }])
      expect(await db.asSystem('test').read((tx) => tx.query(count))).toEqual([{ count: 1 }])
      const foreign = db.forTenant(b).write((tx) => tx.execute(insert(a, 'y')))
      await expect(foreign).rejects.toSatisfy((error) => sqlStateOf(error) === '42501')
      expect(await db.forTenant(b).write((tx) => tx.execute(sql`update things set n = 0`))).toBe(0)
      expect(await db.forTenant(b).write((tx) => tx.execute(sql`delete from things`))).toBe(0)
    })

    test('scopes do not leak into each other, whatever the order and overlap', async () => {
      const { db } = use()
      const whoAmI = sql`select current_user::text as role, current_setting('app.tenant', true) as tenant`
      const scopes = [db.forTenant(a), db.asSystem('test'), db.forTenant(b)]
      const seen = await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          scopes[i % 3]!.read(async (tx) => [tx.tenant, (await tx.query(whoAmI))[0]]),
        ),
      )
      seen.forEach(([tenant, row], i) => {
        const expected = [a, null, b][i % 3]
        expect(tenant).toBe(expected)
        expect(row).toEqual({
          role: expected ? 'leanvibe_app' : 'leanvibe_system',
          // After a transaction PostgreSQL leaves an empty text where nothing was set before.
          tenant: expected ?? expect.toSatisfy((value) => value === null || value === ''),
        })
      })
    })

    test.each(['', ' ', "a'b", 'a;b', 'a\\', 'ä', '-a', 'x'.repeat(65)])('the tenant id %j is refused', (id) => {
      expect(() => use().db.forTenant(asId<TenantId>(id))).toThrow(expect.objectContaining({ code: 'bad-tenant' }))
    })

    test('tables without a tenant are closed to tenants unless a migration opened them', async () => {
      const { db } = use()
      expect(await db.forTenant(a).read((tx) => tx.query(sql`select * from settings`))).toEqual([
        { name: 'answer', value: '42' },
      ])
      for (const text of [`update settings set value = ''`, 'select * from migrations', 'delete from settings']) {
        const attempt = db.forTenant(a).write((tx) => tx.execute({ text, values: [] }))
        await expect(attempt).rejects.toSatisfy((error) => sqlStateOf(error) === '42501')
      }
      expect(await db.asSystem('test').write((tx) => tx.execute(sql`update settings set value = '43'`))).toBe(1)
    })

    test('rolls back when the function throws', async () => {
      const { db } = use()
      const write = db.forTenant(a).write(async (tx) => {
        await tx.execute(insert(a, 'x'))
        throw new Error('no')
      })
      await expect(write).rejects.toThrow('no')
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 0 }])
    })

    test('a reader cannot write', async () => {
      const attempt = use()
        .db.forTenant(a)
        .read((tx) => (tx as Tx).execute(insert(a, 'x')))
      await expect(attempt).rejects.toSatisfy((error) => sqlStateOf(error) === '25006')
    })

    test('statements sent together are answered in order and committed together', async () => {
      const { db } = use()
      const seen = await db
        .forTenant(a)
        .write((tx) =>
          Promise.all([
            tx.execute(insert(a, 'x')),
            tx.query<{ count: number }>(count),
            tx.execute(insert(a, 'y')),
            tx.query<{ count: number }>(count),
          ]),
        )
      expect(seen).toEqual([1, [{ count: 1 }], 1, [{ count: 2 }]])
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 2 }])
    })

    test('a statement that was not awaited still belongs to the transaction', async () => {
      const { db } = use()
      await db.forTenant(a).write(async (tx) => void tx.execute(insert(a, 'x')))
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
    })

    test('a transaction that ended refuses statements', async () => {
      let escaped: ReadTx | undefined
      await use()
        .db.forTenant(a)
        .read(async (tx) => {
          escaped = tx
        })
      await expect(escaped!.query(count)).rejects.toSatisfy(withCode('transaction-closed'))
    })

    test('names the constraint that a row broke', async () => {
      const write = () =>
        use()
          .db.forTenant(a)
          .write((tx) => tx.execute(insert(a, 'x')))
      await write()
      await expect(write()).rejects.toSatisfy((error) => violates(error, 'things_pkey') && !violates(error, 'other'))
    })

    test('refuses to commit what a swallowed error has aborted', async () => {
      const { db } = use()
      const write = db.forTenant(a).write(async (tx) => {
        await tx.execute(insert(a, 'x'))
        await tx.query(sql`select 1 / 0`).catch(() => undefined)
      })
      await expect(write).rejects.toSatisfy(withCode('transaction-aborted'))
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 0 }])
    })

    test('a statement that was posted fails what comes after it by its own error: a statement, or the commit', async () => {
      const { db } = use()
      await db.forTenant(a).write(async (tx) => tx.post(insert(a, 'x')))
      const twice = (after: (tx: Tx) => Promise<unknown>) =>
        db.forTenant(a).write(async (tx) => {
          tx.post(insert(a, 'y'))
          tx.post(insert(a, 'x'))
          await after(tx)
        })
      for (const after of [async () => undefined, (tx: Tx) => tx.query(count)]) {
        await expect(twice(after)).rejects.toSatisfy((error) => violates(error, 'things_pkey'))
      }
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
    })

    test('who says that nothing was changed, and has changed something, hears of the commit all the same', async () => {
      const { db } = use()
      const write = db.forTenant(a).write(async (tx) => {
        tx.post(insert(a, 'x'))
        tx.post(insert(a, 'x'))
        tx.endUnchanged()
      })
      await expect(write).rejects.toSatisfy((error) => violates(error, 'things_pkey'))
      const read = await db.forTenant(a).write(async (tx) => {
        tx.endUnchanged()
        return tx.query(count)
      })
      expect(read).toEqual([{ count: 0 }])
    })

    test('a posted statement that lost a conflict is run again with the rest', async () => {
      const { db } = use()
      let runs = 0
      await db.forTenant(a).write(async (tx) => {
        runs += 1
        tx.post(insert(a, 'x'))
        if (runs === 1) tx.post(sql`select test_conflict()`)
      })
      expect(runs).toBe(2)
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
    })

    test('the last statement takes the commit along: no other follows it, and hooks hear of the commit', async () => {
      const { db } = use()
      const seen: string[] = []
      const rows = await db.forTenant(a).write(async (tx) => {
        tx.afterCommit(() => seen.push('committed'))
        tx.post(insert(a, 'x'))
        const rows = await tx.last<{ id: string }>(sql`${insert(a, 'y')} returning id`)
        await expect(tx.query(count)).rejects.toSatisfy(withCode('transaction-closed'))
        return rows
      })
      expect(rows).toEqual([{ id: 'y' }])
      expect(seen).toEqual(['committed'])
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 2 }])
    })

    test('a last statement that fails, or comes behind one that failed, commits nothing', async () => {
      const { db } = use()
      const write = (...queries: ReturnType<typeof insert>[]) =>
        db.forTenant(a).write(async (tx) => {
          for (const query of queries.slice(0, -1)) tx.post(query)
          await tx.last(queries.at(-1)!)
        })
      await expect(write(insert(a, 'x'), insert(a, 'x'))).rejects.toSatisfy((error) => violates(error))
      await expect(write(insert(a, 'x'), insert(a, 'x'), insert(a, 'y'))).rejects.toSatisfy((error) => violates(error))
      const swallowed = db.forTenant(a).write(async (tx) => {
        await tx.execute(insert(a, 'x'))
        await tx.last(insert(a, 'x')).catch(() => undefined)
      })
      await expect(swallowed).rejects.toSatisfy(withCode('transaction-aborted'))
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 0 }])
    })

    test('a last statement that lost a conflict is run again with the rest', async () => {
      const { db } = use()
      let runs = 0
      await db.forTenant(a).write(async (tx) => {
        runs += 1
        tx.post(insert(a, 'x'))
        await tx.last(runs === 1 ? sql`select test_conflict()` : insert(a, 'y'))
      })
      expect(runs).toBe(2)
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 2 }])
    })

    test('who throws when the commit is on its way has committed, and hooks run', async () => {
      const { db } = use()
      const seen: string[] = []
      const late = db.forTenant(a).write(async (tx) => {
        tx.afterCommit(() => seen.push('committed'))
        await tx.last(insert(a, 'x'))
        throw new Error('too late')
      })
      await expect(late).rejects.toThrow('too late')
      expect(seen).toEqual(['committed'])
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
    })

    test('what has to be written before every commit is written behind a last statement too', async () => {
      const { db } = use()
      await withBeforeCommit(
        async (tx) => void (await tx.execute(insert(a, 'hook'))),
        () => db.forTenant(a).write((tx) => tx.last(insert(a, 'x'))),
      )
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 2 }])
    })

    test('hooks run after the commit, and not after a rollback', async () => {
      const { db } = use()
      const seen: string[] = []
      await db.forTenant(a).write(async (tx) => {
        tx.afterCommit(() => seen.push('first'))
        await tx.execute(insert(a, 'x'))
        tx.afterCommit(() => seen.push('second'))
        seen.push('function')
      })
      const failing = db.forTenant(a).write(async (tx) => {
        tx.afterCommit(() => seen.push('never'))
        await tx.execute(insert(a, 'x'))
      })
      await expect(failing).rejects.toThrow()
      expect(seen).toEqual(['function', 'first', 'second'])
    })

    test('a write that lost a conflict is run again, and gives up at its limit', async () => {
      const { db } = use()
      let runs = 0
      const conflict = (until: number) => async (tx: Tx) => {
        runs += 1
        if (runs <= until) await tx.query(sql`select test_conflict()`)
        return tx.execute(insert(a, 'x'))
      }
      expect(await db.forTenant(a).write(conflict(2))).toBe(1)
      expect(runs).toBe(3)
      runs = 0
      await expect(db.forTenant(a).write(conflict(9), { retries: 1 })).rejects.toSatisfy(withCode('write-conflict'))
      expect(runs).toBe(2)
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
    })

    test('a transaction that waits for something else than SQL is ended, and holds nobody up', async () => {
      const { db } = use()
      const blocker = Promise.withResolvers<void>()
      const inserted = Promise.withResolvers<void>()
      const idle = db.forTenant(a).write(async (tx) => {
        await tx.execute(insert(a, 'x'))
        inserted.resolve()
        await blocker.promise
        await tx.execute(insert(a, 'y'))
      })
      const outcome = expect(idle).rejects.toSatisfy(withCode('transaction-idle'))
      await inserted.promise
      // The row lock of the idle one is waited for; it goes when the idle one does.
      await db.forTenant(a).write((tx) => tx.execute(insert(a, 'x')))
      blocker.resolve()
      await outcome
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
    })

    test('named statements stay prepared, also after one of them failed', async () => {
      const { db } = use()
      const named = (id: string) => ({ ...insert(a, id), name: 'insert_thing' })
      const run = (id: string) => db.forTenant(a).write((tx) => tx.execute(named(id)))
      await run('x')
      await expect(run('x')).rejects.toSatisfy((error) => violates(error))
      await run('y')
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 2 }])
    })

    test('hints reach the listeners of the channel, equal ones once', async () => {
      const { db } = use()
      const seen: string[] = []
      const stop = db.listen('ch', (payload) => seen.push(payload))
      const other = Promise.withResolvers<string>()
      db.listen('other', other.resolve)
      for (const payload of ['1', '1', '2', '1']) db.notify('ch', payload)
      db.notify('other', 'done')
      expect(await other.promise).toBe('done')
      expect(seen).toEqual(['1', '2'])
      stop()
      stop()
    })

    test('a large result and a large parameter pass', async () => {
      const big = 'ü'.repeat(4_000_000)
      const [row] = await use()
        .db.forTenant(a)
        .read((tx) => tx.query<{ big: string }>(sql`select ${big}::text as big`))
      expect(row?.big === big).toBe(true)
    })

    test('database time is the time of the server', async () => {
      const { db } = use()
      const before = db.clock.now().getTime()
      const [row] = await db
        .asSystem('test')
        .read((tx) => tx.query<{ now: Date }>(sql`select clock_timestamp() as now`))
      const after = db.clock.now().getTime()
      expect(row!.now.getTime()).toBeGreaterThanOrEqual(before - 20)
      expect(row!.now.getTime()).toBeLessThanOrEqual(after + 20)
    })
  },
  { migrations: join(import.meta.dirname, 'test-migrations'), idleInTransactionMs: 300 },
)
