import fc from 'fast-check'
import { expect, test } from 'vitest'
import { laneOf, parseLane } from './lane-contract.ts'

test('a lane is named after what it asks for', () => {
  expect(laneOf({ priority: 5, capabilities: [] })).toBe('5|')
  expect(laneOf({ priority: 10, capabilities: ['gpu', 'code', 'gpu'] })).toBe('10|code,gpu')
  expect(parseLane('5|')).toEqual({ priority: 5, capabilities: [] })
  expect(parseLane('10|code,gpu')).toEqual({ priority: 10, capabilities: ['code', 'gpu'] })
})

test('equal requirements share a lane, different ones do not, and the name tells them again', () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9._-]{0,10}$/)
  const requirements = fc.record({
    priority: fc.integer({ min: 1, max: 10 }),
    capabilities: fc.array(label, { maxLength: 5 }),
  })
  const normal = ({ priority, capabilities }: { priority: number; capabilities: readonly string[] }) => ({
    priority,
    capabilities: [...new Set(capabilities)].sort(),
  })
  fc.assert(
    fc.property(requirements, requirements, (a, b) => {
      expect(parseLane(laneOf(a))).toEqual(normal(a))
      expect(laneOf(a) === laneOf(b)).toBe(JSON.stringify(normal(a)) === JSON.stringify(normal(b)))
    }),
  )
})
