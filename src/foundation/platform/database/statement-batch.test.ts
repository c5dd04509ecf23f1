import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { sqlStateOf } from './database-errors.ts'
import { prepared, type Query, sql } from './sql.ts'

const tenant = asId<TenantId>('tenant_a')
const number = (n: unknown) => prepared('test-number')`select ${n}::int4 as n`
const failing = sql`select 1 / 0`

/** How each of some statements ended: its rows, or the state of its error. */
async function endings(sent: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  const settled = await Promise.allSettled(sent)
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : sqlStateOf(one.reason)))
}

eachDatabase(
  'statements sent in one turn',
  (use) => {
    const scope = () => use().db.forTenant(tenant)

    test('each gets its own answer, in order', async () => {
      const answers = await scope().write((tx) =>
        Promise.all([
          tx.query(sql`select 'a' as letter`),
          tx.execute(
            sql`insert into things (tenant_id, id, n) values (${tenant}, 'batch', 1), (${tenant}, 'other', 2)`,
          ),
          tx.query(number(3)),
          tx.query(sql`select id, n from things where tenant_id = ${tenant} order by id`),
          tx.execute(sql`delete from things where tenant_id = ${tenant}`),
          tx.query(sql`select n from things where tenant_id = ${tenant}`),
        ]),
      )
      expect(answers).toEqual([
        [{ letter: 'a' }],
        2,
        [{ n: 3 }],
        [
          { id: 'batch', n: 1 },
          { id: 'other', n: 2 },
        ],
        2,
        [],
      ])
    })

    test('what stands before one that fails is answered, what stands behind it is refused, and nothing is kept', async () => {
      const seen: unknown[] = []
      const all = scope().write(async (tx) => {
        const insert = sql`insert into things (tenant_id, id, n) values (${tenant}, 'lost', 1)`
        seen.push(...(await endings([tx.execute(insert), tx.query(number(1)), tx.query(failing), tx.query(number(2))])))
        // The transaction has failed: no later turn gets anything either.
        seen.push(...(await endings([tx.query(number(3))])))
      })
      await expect(all).rejects.toSatisfy((error: Error) => error.message.includes('rolled back'))
      expect(seen).toEqual([1, [{ n: 1 }], '22012', '25P02', '25P02'])
      expect(await scope().read((tx) => tx.query(sql`select id from things where id = 'lost'`))).toEqual([])
    })

    test('a statement that was passed over before it was prepared is prepared when it is next sent', async () => {
      const later = (n: number): Query => prepared('test-passed-over')`select ${n}::int4 as n`
      for (let turn = 0; turn < 20; turn++) {
        const failed = scope().write((tx) => Promise.all([tx.query(failing), tx.query(later(turn))]))
        await expect(failed).rejects.toSatisfy((error) => sqlStateOf(error) === '22012')
      }
      expect(await scope().read((tx) => Promise.all([tx.query(later(1)), tx.query(later(2))]))).toEqual([
        [{ n: 1 }],
        [{ n: 2 }],
      ])
    })

    test('rows have their columns when the server no longer tells them, null and none among them', async () => {
      const row = (n: number | null, rows: number) =>
        prepared('test-shape')`
        select ${n}::int4 as n, 'x' as text, '{1,2}'::int4[] as list from generate_series(1, ${rows}::int4)`
      for (let turn = 0; turn < 12; turn++) {
        const answers = await scope().read((tx) =>
          Promise.all([tx.query(row(turn, 1)), tx.query(row(null, 2)), tx.query(row(1, 0))]),
        )
        const whole = { text: 'x', list: [1, 2] }
        expect(answers).toEqual([[{ n: turn, ...whole }], Array(2).fill({ n: null, ...whole }), []])
      }
    })

    test('a value that cannot be read fails its own statement alone', async () => {
      const seen = await scope().read(async (tx) => {
        const unreadable = tx.query(sql`select 9007199254740993::int8 as big`).catch((error: Error) => error.message)
        return Promise.all([tx.query(number(1)), unreadable, tx.query(number(2))])
      })
      expect(seen).toEqual([[{ n: 1 }], expect.stringContaining('does not fit a number'), [{ n: 2 }]])
    })

    test('a name that stands for two texts is refused, also where nobody waits for the answer', async () => {
      const twin = prepared('test-number')`select ${1}::int4 as other`
      await scope().read((tx) => tx.query(number(1)))
      const posted = scope().write(async (tx) => {
        await tx.query(number(1))
        tx.post(twin)
        await tx.query(number(2))
      })
      await expect(posted).rejects.toSatisfy((error: Error) => error.message.includes('prepared as test-number'))
    })

    test('a posted statement that fails undoes what was sent in its turn', async () => {
      const all = scope().write(async (tx) => {
        tx.post(failing)
        await tx.last(sql`insert into things (tenant_id, id, n) values (${tenant}, 'posted', 1) returning id`)
      })
      await expect(all).rejects.toSatisfy((error) => sqlStateOf(error) === '22012')
      expect(await scope().read((tx) => tx.query(sql`select id from things where id = 'posted'`))).toEqual([])
    })
  },
  { migrations: join(import.meta.dirname, 'test-migrations') },
)
