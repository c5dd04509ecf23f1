import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addCost, shareCost } from './shared-cost.ts'

const seconds = fc.integer({ min: 0, max: 100_000 })
const usage = fc.record({
  cpuSeconds: fc.option(seconds),
  maxRssBytes: fc.option(fc.integer({ min: 1, max: 1e9 })),
  wallSeconds: seconds,
})

it('all shares together are what was used, and nobody but the first has more than another', () => {
  fc.assert(
    fc.property(
      fc.array(usage, { maxLength: 5 }),
      fc.integer({ min: 1, max: 50 }),
      seconds,
      (runs, members, beside) => {
        const cost = runs.reduce<Parameters<typeof addCost>[0]>(addCost, null)
        const elapsed = (cost?.wallSeconds ?? 0) + beside
        const { first, others } = shareCost(cost, members, elapsed)
        expect(first.wallSeconds + others.wallSeconds * (members - 1)).toBeCloseTo(elapsed, 3)
        expect(first.wallSeconds).toBeGreaterThanOrEqual(others.wallSeconds - 1e-6)
        expect(first.cpuSeconds).toBe(others.cpuSeconds)
        if (runs.some(({ cpuSeconds }) => cpuSeconds === null)) expect(others.cpuSeconds).toBeNull()
        else
          expect((others.cpuSeconds ?? 0) * members).toBeCloseTo(
            runs.reduce((sum, { cpuSeconds }) => sum + (cpuSeconds ?? 0), 0),
            3,
          )
      },
    ),
  )
})
