import { expect, test } from 'vitest'
import { ManualClock, systemClock } from './clock.ts'

test('a manual clock moves when told to, calendar and monotonic alike', () => {
  const clock = new ManualClock(new Date('2026-03-01T12:00:00Z'))
  expect(clock.now().toISOString()).toBe('2026-03-01T12:00:00.000Z')
  expect(clock.monotonic()).toBe(0)
  clock.advance(1_500)
  expect(clock.now().toISOString()).toBe('2026-03-01T12:00:01.500Z')
  expect(clock.monotonic()).toBe(1_500)
})

test('the instant a manual clock gave away does not move with it', () => {
  const clock = new ManualClock()
  const before = clock.now()
  clock.advance(1_000)
  expect(before.toISOString()).toBe('2026-01-01T00:00:00.000Z')
})

test('the system clock tells the time', () => {
  const before = Date.now()
  const now = systemClock.now().getTime()
  expect(now).toBeGreaterThanOrEqual(before)
  expect(now).toBeLessThanOrEqual(Date.now())
  const first = systemClock.monotonic()
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first)
})
