import { totalmem } from 'node:os'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { availableMemory, bufferMemoryFor } from './buffer-memory.ts'

const gibibyte = 1_073_741_824

test.each([
  [0.5, 32],
  [4, 32],
  [8, 64],
  [16, 128],
  [64, 128],
])('a machine with %d GiB gives the database %d MiB', (machine, buffers) => {
  expect(bufferMemoryFor(machine * gibibyte)).toBe(buffers)
})

test('more memory never means fewer buffers, and the bounds hold', () => {
  const bytes = fc.integer({ min: 0, max: 4_000 * gibibyte })
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const [small, large] = [bufferMemoryFor(Math.min(a, b)), bufferMemoryFor(Math.max(a, b))]
      return 32 <= small && small <= large && large <= 128
    }),
  )
})

test('what a process may use is something, and no more than the machine has', () => {
  expect(availableMemory()).toBeGreaterThan(0)
  expect(availableMemory()).toBeLessThanOrEqual(totalmem())
})
