import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Query, sql } from './sql.ts'

test('values become parameters, whatever they hold', () => {
  expect(sql`select ${1}, ${`'; drop table x; --`} where ${null}`).toEqual({
    text: 'select $1, $2 where $3',
    values: [1, `'; drop table x; --`, null],
  })
})

test('an object that only looks like a query is a value', () => {
  const lookalike = { text: 'drop table x', values: [] }
  expect(sql`select ${lookalike}`).toEqual({ text: 'select $1', values: [lookalike] })
})

test('nested queries keep every parameter at its place', () => {
  const tree: fc.Arbitrary<Query> = fc.letrec((tie) => ({
    leaf: fc.integer().map((value) => sql`(${value})`),
    node: fc.tuple(tie('query'), fc.integer(), tie('query')).map(([a, b, c]) => sql`(${a},${b},${c})`),
    query: fc.oneof({ maxDepth: 5 }, tie('leaf'), tie('node')),
  })).query as fc.Arbitrary<Query>
  fc.assert(
    fc.property(tree, ({ text, values }) => {
      const places = [...text.matchAll(/\$(\d+)/g)].map((match) => Number(match[1]))
      expect(places).toEqual(values.map((_, index) => index + 1))
    }),
  )
})
