import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { isAppError } from '../../kernel/errors.ts'
import type { ReadTx } from './database.ts'
import { decodeArray } from './decode-values.ts'
import { encodeValue, endOfTime } from './encode-values.ts'
import { json, type Query, sql } from './sql.ts'

/** Text that PostgreSQL can hold; the rest is tested by name. */
const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'))
const date = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
// PostgreSQL keeps jsonb numbers as numeric, which has no negative zero.
const jsonValue = fc
  .jsonValue({ stringUnit: 'binary' })
  .filter((value) => !JSON.stringify(value).includes('\\u0000'))
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('-0', '0')))

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })

/** Each: how a value is sent, as what it must come back. */
const roundTrips: readonly (readonly [string, fc.Arbitrary<unknown>, (value: unknown) => Query])[] = [
  ['text', orNull(text), (value) => sql`select ${value}::text as value`],
  ['bigint', orNull(fc.maxSafeInteger()), (value) => sql`select ${value}::bigint as value`],
  ['int', orNull(fc.integer()), (value) => sql`select ${value}::int as value`],
  ['float8', orNull(fc.double()), (value) => sql`select ${value}::float8 as value`],
  ['boolean', orNull(fc.boolean()), (value) => sql`select ${value}::boolean as value`],
  ['timestamptz', orNull(date), (value) => sql`select ${value}::timestamptz as value`],
  [
    'bytea',
    orNull(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
    (value) => sql`select ${value}::bytea as value`,
  ],
  ['jsonb', jsonValue, (value) => sql`select ${json(value)}::jsonb as value`],
  ['text[]', fc.array(orNull(text)), (value) => sql`select ${value}::text[] as value`],
  ['bigint[]', fc.array(orNull(fc.maxSafeInteger())), (value) => sql`select ${value}::bigint[] as value`],
  ['boolean[]', fc.array(orNull(fc.boolean())), (value) => sql`select ${value}::boolean[] as value`],
  ['timestamptz[]', fc.array(orNull(date)), (value) => sql`select ${value}::timestamptz[] as value`],
  ['jsonb[]', fc.array(orNull(fc.dictionary(text, jsonValue))), (value) => sql`select ${value}::jsonb[] as value`],
  [
    'bytea[]',
    fc.array(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
    (value) => sql`select ${value}::bytea[] as value`,
  ],
  [
    'text[][]',
    fc
      .nat({ max: 3 })
      .chain((width) =>
        fc.array(fc.array(text, { minLength: width + 1, maxLength: width + 1 }), { minLength: 1, maxLength: 3 }),
      ),
    (value) => sql`select ${value}::text[] as value`,
  ],
]

eachDatabase(
  'values',
  (use) => {
    const select = async (query: Query) => {
      const [row] = await use()
        .db.asSystem('test')
        .read((tx: ReadTx) => tx.query<{ value: unknown }>(query))
      return row?.value
    }

    test.each(roundTrips)('%s comes back as it was sent', async (_type, arbitrary, query) => {
      // One transaction for all cases: they are many.
      await use()
        .db.asSystem('test')
        .read((tx) =>
          fc.assert(
            fc.asyncProperty(arbitrary, async (value) => {
              const [row] = await tx.query<{ value: unknown }>(query(value))
              expect(row?.value).toEqual(Object.is(value, -0) ? expect.toSatisfy((v) => v === 0) : value)
            }),
            { numRuns: 60 },
          ),
        )
    })

    test('plain objects travel as JSON, in arrays too', async () => {
      expect(await select(sql`select ${{ a: [1, { b: 'x"\\y' }] }}::jsonb as value`)).toEqual({
        a: [1, { b: 'x"\\y' }],
      })
      expect(await select(sql`select ${[{ a: '{"}' }, json([1, 2]), json(null)]}::jsonb[] as value`)).toEqual([
        { a: '{"}' },
        [1, 2],
        null,
      ])
    })

    test('what PostgreSQL cannot store becomes U+FFFD', async () => {
      expect(await select(sql`select ${'a\0b\ud800c'}::text as value`)).toBe('a\ufffdb\ufffdc')
      const odd = { text: 'a\0b\ud800c', escaped: '\\u0000', pair: '\ud83d\ude00' }
      expect(await select(sql`select ${odd}::jsonb as value`)).toEqual({ ...odd, text: 'a\ufffdb\ufffdc' })
      expect(await select(sql`select ${['\0']}::text[] as value`)).toEqual(['\ufffd'])
    })

    test('numbers that are none, and the ends of time', async () => {
      expect(await select(sql`select ${[Number.NaN, Infinity, -Infinity]}::float8[] as value`)).toEqual([
        Number.NaN,
        Infinity,
        -Infinity,
      ])
      expect(await select(sql`select ${new Date(endOfTime)}::timestamptz as value`)).toEqual(new Date(endOfTime))
      expect(await select(sql`select ${new Date(-endOfTime)}::timestamptz = '-infinity' as value`)).toBe(true)
    })

    test('types that a number cannot hold exactly arrive as text', async () => {
      expect(await select(sql`select 0.1::numeric as value`)).toBe('0.1')
      expect(await select(sql`select '12'::xid8 as value`)).toBe('12')
      expect(await select(sql`select array['12'::xid8] as value`)).toEqual(['12'])
      expect(await select(sql`select '10:20:10,14'::pg_snapshot as value`)).toBe('10:20:10,14')
      expect(await select(sql`select date '2026-02-03' as value`)).toBe('2026-02-03')
    })

    test('a 64-bit integer beyond the safe range is refused, not rounded', async () => {
      await expect(select(sql`select 9007199254740993 as value`)).rejects.toSatisfy((error) =>
        isAppError(error, 'value-not-decodable'),
      )
      expect(await select(sql`select ${9007199254740993n}::text as value`)).toBe('9007199254740993')
    })

    test('times are in UTC whatever the zone of this process', async () => {
      expect(await select(sql`select timestamptz '2026-07-01 12:00:00.123456+02' as value`)).toEqual(
        new Date('2026-07-01T10:00:00.123Z'),
      )
    })
  },
  { migrations: join(import.meta.dirname, 'test-migrations') },
)

test.each([
  ['an invalid date', new Date(Number.NaN)],
  ['a date before our era', new Date('-000001-01-01T00:00:00Z')],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['a Map', new Map()],
  ['a cycle', ((cycle: { self?: unknown }) => Object.assign(cycle, { self: cycle }))({})],
  ['undefined as JSON', json(undefined)],
])('%s is refused', (_name, value) => {
  expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: 'value-not-encodable' }))
})

test('the array literal is read back whatever it holds', () => {
  const nested: fc.Arbitrary<unknown[]> = fc.letrec((tie) => ({
    element: fc.oneof({ maxDepth: 3 }, orNull(fc.string()), tie('array')),
    array: fc.array(tie('element')),
  })).array as fc.Arbitrary<unknown[]>
  fc.assert(
    fc.property(nested, (value) => {
      expect(decodeArray(encodeValue(value) as string, (raw) => raw)).toEqual(
        JSON.parse(JSON.stringify(value), (_key, item) =>
          typeof item === 'string' ? item.replaceAll('\0', '\ufffd') : item,
        ),
      )
    }),
  )
})
