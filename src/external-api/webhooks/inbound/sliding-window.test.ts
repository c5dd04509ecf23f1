import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from '../../../foundation/kernel/clock.ts'
import { createSlidingWindow, type RateAnswer } from './sliding-window.ts'

const rate = { limit: 100, seconds: 60 }

test('the 101st request in a minute is refused, and a minute later there is room again', () => {
  const clock = new ManualClock()
  const take = createSlidingWindow(clock) as (key: string, of: typeof rate) => RateAnswer
  for (let n = 1; n <= 100; n++) expect(take('a', rate)).toMatchObject({ allowed: true, remaining: 100 - n })
  expect(take('a', rate)).toEqual({ allowed: false, remaining: 0, resetMs: 60_000 })
  expect(take('b', rate).allowed).toBe(true)
  clock.advance(90_000)
  // Half of the window before still counts: 50 of the 100.
  expect(take('a', rate)).toMatchObject({ allowed: true, remaining: 49 })
  clock.advance(120_000)
  expect(take('a', rate)).toMatchObject({ allowed: true, remaining: 99 })
})

test('over any stretch of whole windows no more is admitted than limits allow, and a quiet key is always served', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40_000), { maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (pauses, limit) => {
      const clock = new ManualClock()
      const take = createSlidingWindow(clock) as (key: string, of: typeof rate) => RateAnswer
      const admitted: number[] = []
      for (const pause of pauses) {
        clock.advance(pause)
        if (take('a', { limit, seconds: 60 }).allowed) admitted.push(clock.monotonic())
      }
      for (const start of admitted) {
        // Two counters are an estimate: within a window it is off by less than one window's share.
        const within = admitted.filter((at) => at >= start && at < start + 60_000).length
        expect(within).toBeLessThanOrEqual(2 * limit)
      }
      clock.advance(120_000)
      expect(take('a', { limit, seconds: 60 }).allowed).toBe(true)
    }),
  )
})

test('memory is bounded: the key that was used least recently makes room', () => {
  const clock = new ManualClock()
  const take = createSlidingWindow(clock, 10) as (key: string, of: typeof rate) => RateAnswer
  const one = { limit: 1, seconds: 60 }
  for (let n = 0; n < 11; n++) take(`k${n}`, one)
  expect(take('k10', one).allowed).toBe(false)
  expect(take('k0', one).allowed).toBe(true)
})
