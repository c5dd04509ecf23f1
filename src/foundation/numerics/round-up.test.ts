import fc from 'fast-check'
import { expect, test } from 'vitest'
import { roundUp } from './round-up.ts'

test.each([
  [0.31, 0.1, 0.4],
  [0.3, 0.1, 0.3],
  [0.1 + 0.2, 0.1, 0.3],
  [1, 16, 16],
  [0, 16, 0],
])('%f in steps of %f is %f', (value, step, expected) => {
  expect(roundUp(value, step)).toBe(expected)
})

test('is never below, and less than a step above', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constantFrom(0.1, 1, 16), (value, step) => {
      const rounded = roundUp(value, step)
      expect(rounded).toBeGreaterThanOrEqual(value - step * 1e-6)
      expect(rounded).toBeLessThan(value + step * (1 + 1e-6))
    }),
  )
})
