import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SecretMasker } from './secret-masker.ts'

it('replaces values wherever they stand, in each form in which programs print them', () => {
  const masker = new SecretMasker(['hunter2hunter2', 'a"b\\c d', 'abc', '', 'line one of key\nx\nline two of key'])
  expect(masker.text('x hunter2hunter2, hunter2hunter2.')).toBe('x ***, ***.')
  expect(masker.text('{"key":"a\\"b\\\\c d"} a%22b%5Cc%20d')).toBe('{"key":"***"} ***')
  expect(masker.text('aHVudGVyMmh1bnRlcjI=')).toBe('***=')
  expect(masker.text('line two of key; x; abc')).toBe('***; x; abc')
  expect(masker.json({ hunter2hunter2: ['hunter2hunter2', 1, null, { a: 'hunter2hunter2!' }] })).toEqual({
    '***': ['***', 1, null, { a: '***!' }],
  })
})

it('takes the longer of two values that begin alike', () => {
  const masker = new SecretMasker(['abcd', 'abcdefgh', 'cdxx'])
  expect(masker.text('abcdefgh abcdxx abcdef')).toBe('*** ***xx ***ef')
})

const secret = fc
  .string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 4, maxLength: 7 })
  .filter((text) => /[ab]/.test(text))
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 })

it('gives the same however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(secret, { maxLength: 4 }), text, fc.array(fc.nat(8)), (secrets, whole, cuts) => {
      const masker = new SecretMasker(secrets)
      const stream = masker.stream()
      const bytes = Buffer.from(whole)
      const out: string[] = []
      let start = 0
      for (const cut of cuts) {
        // The chunk is overwritten afterwards, as the buffer of a pipe is.
        const chunk = Buffer.from(bytes.subarray(start, start + cut))
        out.push(stream.write(chunk).toString())
        chunk.fill('#')
        start += cut
      }
      out.push(stream.write(bytes.subarray(start)).toString(), stream.end().toString())
      expect(out.join('')).toBe(masker.text(whole))
      for (const value of secrets) expect(out.join('')).not.toContain(value)
    }),
    { numRuns: 1_000 },
  )
})

it('leaves everything else as it is', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const stream = new SecretMasker(['the secret value']).stream()
      expect(Buffer.concat([stream.write(Buffer.from(bytes)), stream.end()])).toEqual(Buffer.from(bytes))
    }),
  )
})
