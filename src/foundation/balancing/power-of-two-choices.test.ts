import { expect, test } from 'vitest'
import { PeakEwma } from './peak-ewma.ts'
import { powerOfTwoChoices } from './power-of-two-choices.ts'
import { candidate, free } from './strategies.fixture.ts'

test('the average follows a slower answer at once, and a faster one with time', () => {
  let now = 0
  const latency = new PeakEwma(() => now, 1_000)
  expect(latency.of('a')).toBe(1)
  latency.observe('a', 100)
  expect(latency.of('a')).toBe(100)
  expect(latency.of('unknown')).toBe(100)
  latency.observe('a', 500)
  expect(latency.of('a')).toBe(500)
  now += 1_000
  latency.observe('a', 100)
  expect(latency.of('a')).toBeCloseTo(500 / Math.E + 100 * (1 - 1 / Math.E))
  now += 100_000
  latency.observe('a', 100)
  expect(latency.of('a')).toBeCloseTo(100)
})

test('of whom nothing is heard is taken for average again', () => {
  let now = 0
  const latency = new PeakEwma(() => now, 1_000)
  for (let n = 0; n < 1_000; n++) latency.observe('b', 10)
  latency.observe('a', 500)
  expect(latency.of('a')).toBe(500)
  now += 20_000
  expect(latency.of('a')).toBeLessThan(20)
})

test('of two it takes the one on which the work should end sooner', () => {
  const strategy = powerOfTwoChoices({ monotonic: () => 0 })
  const list = [candidate('slow', 0, 100), candidate('fast', 2, 100)]
  expect(strategy.pick(list)!.id).toBe('slow')
  strategy.observe!('slow', 900)
  strategy.observe!('fast', 100)
  // (0 + 1) x 900 against (2 + 1) x 100.
  expect(strategy.pick(list)!.id).toBe('fast')
  expect(strategy.pick([candidate('slow', 0, 100), candidate('fast', 9, 100)])!.id).toBe('slow')
})

test('a heavier one gets more, all else being equal', () => {
  expect(powerOfTwoChoices().pick([candidate('a', 1, 9, 1), candidate('b', 2, 9, 3)])!.id).toBe('b')
})

test('two different ones are drawn, so that the slowest of three is never picked', () => {
  const strategy = powerOfTwoChoices({ monotonic: () => 0 })
  for (const [id, latency] of Object.entries({ a: 10, b: 20, c: 30 })) strategy.observe!(id, latency)
  const picks = new Set(Array.from({ length: 200 }, () => strategy.pick(free('a', 'b', 'c'))!.id))
  expect([...picks].sort()).toEqual(['a', 'b'])
})

test('it finds the only one with room among many', () => {
  const list = Array.from({ length: 1_000 }, (_, n) => candidate(`c${n}`, n === 777 ? 0 : 1, 1))
  expect(powerOfTwoChoices().pick(list)!.id).toBe('c777')
})
