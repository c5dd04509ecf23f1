import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TurnWatch, tailCycles, tailRepeats } from './sequences.ts'

const letters = (text: string) => text.split('').filter((letter) => letter !== ' ')

describe('the end of a sequence', () => {
  test.each([
    ['', 0, 0],
    ['a', 1, 0],
    ['a b', 1, 1],
    ['a a', 2, 0],
    ['a b a', 1, 1],
    ['a b a b', 1, 2],
    ['x a b a b a', 1, 2],
    ['b a a a', 3, 0],
  ])('%j repeats %i times, and goes back and forth %i times', (text, repeats, cycles) => {
    expect(tailRepeats(letters(text))).toBe(repeats)
    expect(tailCycles(letters(text))).toBe(cycles)
  })

  test('repeats are exactly as many as there are, whatever was before', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b')), fc.integer({ min: 1, max: 20 }), (before, count) => {
        expect(tailRepeats([...before, 'x', ...Array(count).fill('a')])).toBe(count)
      }),
    )
  })

  test('cycles are exactly as many as there are, and the same thing again and again is none', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('c', 'd')), fc.integer({ min: 1, max: 20 }), (before, count) => {
        expect(tailCycles([...before, ...Array.from({ length: count }, () => ['a', 'b']).flat()])).toBe(count)
        expect(tailCycles([...before, ...Array(count + 1).fill('a')])).toBe(0)
      }),
    )
  })
})

function watched(values: readonly string[], most = 5) {
  const watch = new TurnWatch(most)
  for (const value of values) watch.take(value)
  return watch.turn
}

describe('a stream that goes round in a circle', () => {
  test('is known by its period and how long it lasts', () => {
    expect(watched(letters('x a b c a b c a'))).toEqual({ period: 3, length: 7 })
    expect(watched(letters('x a a a'))).toEqual({ period: 1, length: 3 })
    expect(watched(letters('a b c d e'))).toBeNull()
  })

  test('any circle of up to as many values as are watched is found, with its shortest period', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('p', 'q', 'r'), { maxLength: 30 }),
        fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 }),
        fc.integer({ min: 3, max: 10 }),
        (before, circle, rounds) => {
          const turn = watched([...before, ...Array.from({ length: rounds }, () => circle).flat()])
          expect(turn).toEqual({ period: circle.length, length: circle.length * rounds })
        },
      ),
    )
  })

  test('what is said is true: the end does repeat with that period', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 60 }), (values) => {
        const turn = watched(values)
        if (turn === null) return
        const end = values.slice(-turn.length)
        expect(end).toHaveLength(turn.length)
        end.forEach((value, n) => {
          if (n >= turn.period) expect(value).toBe(end[n - turn.period])
        })
      }),
    )
  })
})
