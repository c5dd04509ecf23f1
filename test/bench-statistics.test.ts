import fc from 'fast-check'
import { expect, test } from 'vitest'
import { median, quantile, spreadOf } from '../bench/harness/statistics.ts'

test('the median of known samples', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(quantile([10, 20, 30, 40, 50], 0.99)).toBeCloseTo(49.6)
  expect(() => median([])).toThrow('no values')
})

test('a spread holds its median, and order of the samples is of no consequence', () => {
  const samples = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(samples, (values) => {
      const { min, median: middle, max } = spreadOf(values)
      expect(min).toBeLessThanOrEqual(middle)
      expect(middle).toBeLessThanOrEqual(max)
      expect(median([...values].reverse())).toBe(middle)
    }),
  )
})
