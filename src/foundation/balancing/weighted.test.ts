import fc from 'fast-check'
import { expect, test } from 'vitest'
import { candidate } from './strategies.fixture.ts'
import { weighted } from './weighted.ts'

test('spreads the turns of the heavy between those of the light', () => {
  const strategy = weighted()
  const list = [candidate('a', 0, 99, 5), candidate('b', 0, 99, 1), candidate('c', 0, 99, 1)]
  // The example of the nginx change that introduced it.
  expect(Array.from({ length: 7 }, () => strategy.pick(list)!.id).join('')).toBe('aabacaa')
})

test('gives each exactly its share by weight, and at no time is anybody a whole round behind', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 4 }), (list, rounds) => {
      const strategy = weighted()
      const total = list.reduce((sum, weight) => sum + weight, 0)
      const candidates = list.map((weight, n) => candidate(String(n), 0, 1_000, weight))
      const counts = list.map(() => 0)
      for (let n = 1; n <= total * rounds; n++) {
        counts[Number(strategy.pick(candidates)!.id)]! += 1
        counts.forEach((count, index) => {
          expect(Math.abs(count - (n * list[index]!) / total)).toBeLessThan(list.length)
        })
      }
      expect(counts).toEqual(list.map((weight) => weight * rounds))
    }),
  )
})

test('one that was full has not saved up turns', () => {
  const strategy = weighted()
  for (let n = 0; n < 10; n++) strategy.pick([candidate('a', 1, 1, 1), candidate('b', 0, 99, 1)])
  const picks = Array.from({ length: 4 }, () => strategy.pick([candidate('a', 0, 99, 1), candidate('b', 0, 99, 1)])!.id)
  expect(picks).toEqual(['a', 'b', 'a', 'b'])
})
