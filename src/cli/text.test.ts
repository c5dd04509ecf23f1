import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBytes, oneLine, printable, table } from './text.ts'

const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

describe('printable', () => {
  test.each([
    ['\u001b[2J\u001b[31mred', '\\x1b[2J\\x1b[31mred'],
    ['\u009b31m', '\\x9b31m'],
    ['over\rwritten', 'over\\x0dwritten'],
    ['abc\u202edcba', 'abc\\u202edcba'],
    ['plain\ttext\nwith lines, ümläuts and 絵文字 👍', 'plain\ttext\nwith lines, ümläuts and 絵文字 👍'],
  ])('%j', (text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test('leaves nothing that steers a terminal, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(control)
        expect(oneLine(text)).not.toMatch(/[\n\r]/)
        expect(oneLine(text, 10).length).toBeLessThanOrEqual(10)
      }),
    )
  })
})

test('a table lines its columns up, colours or not', () => {
  expect(
    table([
      ['a', 'bb', 'x'],
      ['\u001b[32mlong\u001b[39m', 'b', 'y'],
    ]),
  ).toEqual(['a     bb  x', '\u001b[32mlong\u001b[39m  b   y'])
  expect(table([])).toEqual([])
})

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KB'],
  [157_286_400, '150 MB'],
  [2_199_023_255_552, '2.0 TB'],
])('%d bytes', (bytes, shown) => {
  expect(formatBytes(bytes)).toBe(shown)
})
