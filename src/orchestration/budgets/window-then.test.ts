import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { windowAt } from './budget-windows-contract.ts'
import { windowThen } from './window-then.ts'

const at = (text: string) => new Date(`2026-11-${text}Z`)
const span = (start: string, end: string) => ({ start: at(start), end: at(end) })
const daily = { timeWindow: 'day', windowStart: at('23T00:00'), windowEnd: at('24T00:00') }
const five = { timeWindow: '5h', windowStart: at('23T10:00'), windowEnd: at('23T15:00') }
const now = at('23T14:00')

describe('the window of a moment', () => {
  test.each([
    ['a budget without windows', { timeWindow: 'total', windowStart: null, windowEnd: null }, '20T00:00', 'present'],
    ['the present day', daily, '23T01:00', 'present'],
    ['a day before, which need not be on record', daily, '21T08:00', span('21T00:00', '22T00:00')],
    ['the present five hours', five, '23T11:00', 'present'],
    ['five hours on record', five, '23T02:00', span('23T00:30', '23T05:30')],
    ['between two windows of five hours: it counts now', five, '23T08:00', 'present'],
  ] as const)('%s', (_, budget, since, expected) => {
    expect(windowThen(budget, at(since), now, [span('23T00:30', '23T05:30')])).toEqual(expected)
  })

  test('a window that nobody has closed yet still holds its moments, and a new one begins for others', () => {
    const over = { ...five, windowStart: at('23T08:00'), windowEnd: at('23T13:00') }
    expect(windowThen(over, at('23T12:59'), now, [])).toBe('present')
    expect(windowThen(over, at('23T13:30'), now, [])).toBe('begin')
    expect(windowThen(over, null, now, [])).toBe('begin')
    expect(windowThen({ timeWindow: 'day', windowStart: null, windowEnd: null }, null, now, [])).toBe('begin')
  })

  test('of the calendar it is the one that holds the moment, whatever the row says', () => {
    const moments = fc.date({ min: at('01T00:00'), max: at('23T14:00'), noInvalidDate: true })
    fc.assert(
      fc.property(
        moments,
        fc.option(moments),
        fc.constantFrom('day' as const, 'month' as const),
        (since, last, kind) => {
          const row = last === null ? null : windowAt(kind, last)
          const budget = { timeWindow: kind, windowStart: row?.start ?? null, windowEnd: row?.end ?? null }
          const found = windowThen(budget, since, now, [])
          const wanted = windowAt(kind, since)!
          if (found === 'present') expect(wanted.start).toEqual(budget.windowStart)
          else if (found === 'begin') expect(wanted).toEqual(windowAt(kind, now))
          else expect(found).toEqual(wanted)
        },
      ),
    )
  })
})
