import fc from 'fast-check'
import { expect, it } from 'vitest'
import { showText } from './show-text.ts'

it('makes what steers a terminal visible, and keeps the rest', () => {
  expect(showText('a\x1b[31mred\x07\r\n\tü\u202Eevil\u{1F600}\x9b')).toBe(
    'a\\x1b[31mred\\x07\\x0d\n\tü\\u202eevil\u{1F600}\\x9b',
  )
})

it('leaves no control character in, but line breaks and tabs', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(showText(text)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/)
    }),
  )
})
