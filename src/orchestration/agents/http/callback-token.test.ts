import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isSigned, readToken, signToken } from './callback-token.ts'

const claims = fc.record({
  tenant: fc.string({ minLength: 1, maxLength: 30 }),
  id: fc.string({ minLength: 1, maxLength: 60 }),
  expiresAt: fc.nat(),
})
const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('a token says what it is for, and is believed by its own key alone', () => {
  fc.assert(
    fc.property(claims, key, key, (given, own, other) => {
      const token = signToken(given, own)
      expect(readToken(token)).toEqual(given)
      expect(isSigned(token, own)).toBe(true)
      expect(isSigned(token, other)).toBe(Buffer.from(own).equals(Buffer.from(other)))
    }),
  )
})

test('a token that was changed anywhere is none', () => {
  const own = Buffer.alloc(32, 7)
  const token = signToken({ tenant: 'default', id: 'tsk_1.4', expiresAt: 1_900_000_000_000 }, own)
  for (let at = 4; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A'
    const changed = token.slice(0, at) + other + token.slice(at + 1)
    expect([at, readToken(changed) !== null && isSigned(changed, own) && changed !== token]).toEqual([at, false])
  }
})

test('nonsense is no token, whatever it is', () => {
  fc.assert(fc.property(fc.string(), (text) => readToken(text) === null || /^lvs_/.test(text)))
  for (const text of ['', 'lvs_', `lvs_${Buffer.from('{}').toString('base64url')}.${'a'.repeat(43)}`])
    expect(readToken(text)).toBe(null)
})
