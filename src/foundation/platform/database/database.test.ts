import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { isAppError } from '../../kernel/errors.ts'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { sqlStateOf, violates } from './database-errors.ts'
import { sql } from './sql.ts'

const migrations = join(import.meta.dirname, 'test-migrations')
const a = asId<TenantId>('tenant_a')
const b = asId<TenantId>('tenant_b')

eachDatabase(
  'database',
  (use) => {
    test('a tenant sees and writes its own rows only', async () => {
      const { db } = use()
      await db
        .forTenant(a)
        .write((tx) => tx.execute(sql`insert into things (tenant_id, id, n) values (${a}, ${'x'}, ${7})`))
      const count = sql`select count(*) from things`
      expect(await db.forTenant(a).read((tx) => tx.query(count))).toEqual([{ count: 1 }])
      expect(await db.forTenant(b).read((tx) => tx.query(count))).toEqual([{ count: 0 }])
      expect(await db.asSystem('test').read((tx) => tx.query(count))).toEqual([{ count: 1 }])
      const foreign = db
        .forTenant(b)
        .write((tx) => tx.execute(sql`insert into things (tenant_id, id) values (${a}, ${'y'})`))
      await expect(foreign).rejects.toSatisfy((error) => sqlStateOf(error) === '42501')
      expect(await db.forTenant(b).write((tx) => tx.execute(sql`update things set n = 0`))).toBe(0)
    })

    test('rolls back when the function throws', async () => {
      const { db } = use()
      const write = db.forTenant(a).write(async (tx) => {
        await tx.execute(sql`insert into things (tenant_id, id) values (${a}, ${'x'})`)
        throw new Error('no')
      })
      await expect(write).rejects.toThrow('no')
      expect(await db.forTenant(a).read((tx) => tx.query(sql`select id from things`))).toEqual([])
    })

    test('names the constraint that a row broke', async () => {
      const insert = () =>
        use()
          .db.forTenant(a)
          .write((tx) => tx.execute(sql`insert into things (tenant_id, id) values (${a}, 'x')`))
      await insert()
      await expect(insert()).rejects.toSatisfy((error) => violates(error, 'things_pkey'))
    })

    test('refuses to commit what a swallowed error has aborted', async () => {
      const write = use()
        .db.forTenant(a)
        .write(async (tx) => {
          await tx.query(sql`select 1 / 0`).catch(() => undefined)
        })
      await expect(write).rejects.toSatisfy((error) => isAppError(error, 'transaction-aborted'))
    })

    test('the seeds of the migrations are there in every test', async () => {
      const { db, owner } = use()
      expect(await db.forTenant(a).read((tx) => tx.query(sql`select * from settings`))).toEqual([
        { name: 'answer', value: '42' },
      ])
      await owner('delete from settings')
    })
  },
  { migrations },
)
