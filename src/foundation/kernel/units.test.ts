import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isAppError } from './errors.ts'
import { formatDuration, parseDuration, parseSize } from './units.ts'

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5s', 1_500],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['2H', 7_200_000],
  ['1d', 86_400_000],
  ['  10s ', 10_000],
])('%s is %d milliseconds', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds)
})

test.each([
  ['512KB', 524_288],
  ['64MB', 67_108_864],
  ['2GB', 2_147_483_648],
  ['1b', 1],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each(['', '30', 's', '-5s', '5s and more', '10s!', '1 000s', 'x5s'])('%j is not a duration', (text) => {
  expect(() => parseDuration(text)).toThrow(/is not a duration|unknown unit/)
})

test('an unknown unit is named, and the error says what to write', () => {
  let caught: unknown
  try {
    parseSize('5TB')
  } catch (error) {
    caught = error
  }
  if (!isAppError(caught, 'bad-unit')) throw new Error('expected bad-unit')
  expect(caught.message).toBe('size "5TB" has the unknown unit TB')
  expect(caught.next).toContain('64MB')
})

test.each([
  [0, '0ms'],
  [999, '999ms'],
  [1_000, '1.0s'],
  [59_900, '59.9s'],
  [60_000, '1m 0s'],
  [65_000, '1m 5s'],
  [3_600_000, '1h 0m'],
  [7_260_000, '2h 1m'],
])('%d ms are shown as %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text)
})

test('units add up', () => {
  const part = fc.integer({ min: 0, max: 1_000 })
  fc.assert(
    fc.property(part, part, part, (hours, minutes, seconds) => {
      const sum = hours * 3_600_000 + minutes * 60_000 + seconds * 1_000
      expect(parseDuration(`${hours}h${minutes}m${seconds}s`)).toBe(sum)
    }),
  )
})
