import fc from 'fast-check'
import { expect, test } from 'vitest'
import { measurePool, type PoolReading } from './measure-pool.ts'

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds))
const reading = (given: Partial<PoolReading>): PoolReading => ({
  ...{ agents: 2, slots: 4, used: 0, queueDepth: 0, oldestAt: null, completed: 0, busyMs: 0 },
  ...given,
})

test('rates are differences between looks', () => {
  const first = measurePool(
    reading({ used: 2, queueDepth: 5, oldestAt: at(0), completed: 100, busyMs: 50_000 }),
    null,
    at(10),
  )
  expect(first.signals).toMatchObject({ throughput: 0, arrivals: 0, spanMs: 0, serviceMs: null, waitMs: 10_000 })
  const second = measurePool(
    reading({ used: 4, queueDepth: 2, completed: 130, busyMs: 110_000 }),
    first.counted,
    at(20),
  )
  expect(second.signals).toMatchObject({
    slotsPerAgent: 2,
    throughput: 3,
    arrivals: 29,
    spanMs: 10_000,
    serviceMs: 2_000,
  })
  const third = measurePool(reading({ completed: 140, busyMs: 150_000 }), second.counted, at(30))
  expect(third.signals.serviceMs).toBe(3_000)
  const still = measurePool(reading({ completed: 140, busyMs: 150_000 }), third.counted, at(40))
  expect(still.signals).toMatchObject({ throughput: 0, arrivals: 0, serviceMs: 3_000 })
})

test('no reading, however odd, makes a figure negative or no number', () => {
  const count = fc.integer({ min: 0, max: 100_000 })
  const any = fc.record({
    ...{ agents: count, slots: count, used: count, queueDepth: count, completed: count, busyMs: count },
    oldestAt: fc.option(fc.integer({ min: -100, max: 100 }).map(at)),
  })
  fc.assert(
    fc.property(any, any, fc.integer({ min: -50, max: 50 }), (before, now, seconds) => {
      const { counted } = measurePool(before, null, at(0))
      const { signals } = measurePool(now, counted, at(seconds))
      for (const [name, value] of Object.entries(signals)) {
        if (typeof value !== 'number') continue
        expect(Number.isFinite(value), name).toBe(true)
        expect(value, name).toBeGreaterThanOrEqual(0)
      }
    }),
  )
})
