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

it('finds a value that was encoded among other bytes, wherever it begins, and however it was written', () => {
  const value = fc
    .string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 40 })
    .filter((one) => one.trim().length >= 8)
  const around = fc.uint8Array({ maxLength: 9 })
  fc.assert(
    fc.property(value, around, around, (secret, before, after) => {
      const text = secret.trim()
      const masker = new SecretMasker([secret])
      const bytes = Buffer.concat([before, Buffer.from(text), after])
      for (const encoding of ['base64', 'base64url', 'hex'] as const) {
        const shown = masker.text(bytes.toString(encoding))
        expect(shown).toContain('***')
        // What is left is less than a byte of it at either end.
        const rest = shown.split('***').map((part) => part.replaceAll('=', '').length)
        const bits = encoding === 'hex' ? 4 : 6
        const unmasked = rest.reduce((sum, length) => sum + length * bits, 0)
        expect(unmasked).toBeLessThan((before.length + after.length) * 8 + 16)
      }
      expect(masker.text(bytes.toString('hex').toUpperCase())).toContain('***')
      const quoted = [JSON.stringify(text), JSON.stringify(JSON.stringify({ text })), encodeURIComponent(text)]
      for (const each of [...quoted, new URLSearchParams({ text }).toString(), [...text].reverse().join('')])
        expect(masker.text(each)).toContain('***')
    }),
    { numRuns: 300 },
  )
})

it('finds a long value also where tools broke its lines', () => {
  const secret = 'sk-'.padEnd(200, 'Zq7+/x')
  const masker = new SecretMasker([secret])
  const lines = (text: string, columns: number) => text.match(new RegExp(`.{1,${columns}}`, 'g'))!.join('\n')
  for (const columns of [76, 64]) {
    const shown = masker.text(lines(Buffer.from(secret).toString('base64'), columns))
    expect(shown.replaceAll(/[*\n=]/g, '').length).toBeLessThan(16)
  }
  expect(masker.text(lines(Buffer.from(secret).toString('hex'), 60)).replaceAll(/[*\n]/g, '').length).toBeLessThan(16)
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
      // A mask and what stands behind it may spell a secret that was never there.
      const left = out.join('').replaceAll('***', '#')
      for (const value of secrets) expect(left).not.toContain(value)
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
