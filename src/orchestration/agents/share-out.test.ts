import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shareOut } from './share-out.ts'

const places = fc.array(
  fc.record({ present: fc.integer({ min: 0, max: 20 }), most: fc.integer({ min: 0, max: 20 }) }),
  { maxLength: 6 },
)

test('all room is used before an agent is left out, and no more than there is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), places, (count, rooms) => {
      const given = shareOut(count, rooms)
      const room = rooms.map(({ present, most }) => Math.max(0, most - present))
      for (const [n, many] of given.entries()) expect(many).toBeLessThanOrEqual(room[n]!)
      const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
      expect(sum(given)).toBe(Math.min(count, sum(room)))
    }),
  )
})

test('whoever is emptiest is next', () => {
  const two = [
    { present: 0, most: 8 },
    { present: 0, most: 4 },
  ]
  expect(shareOut(6, two)).toEqual([4, 2])
  expect(shareOut(2, [{ present: 6, most: 8 }, two[1]!])).toEqual([0, 2])
  expect(shareOut(1, [])).toEqual([])
})
