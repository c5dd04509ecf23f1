import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type PushClaims, readPushToken, signPushToken } from './push-token.ts'

const key = Buffer.alloc(32, 7)
const now = new Date('2026-01-01T00:00:00Z')
const seconds = now.getTime() / 1_000
const claims: PushClaims = {
  ...{
    iss: 'leanvibe',
    aud: 'a2a-notifications',
    ten: 'default',
    sub: 'tsk_1',
    fence: 3,
    iat: seconds,
    exp: seconds + 60,
  },
}

it('what was signed is read, until its time is up', () => {
  const token = signPushToken(key, claims)
  expect(readPushToken(key, token, now)).toEqual(claims)
  expect(readPushToken(key, token, new Date(now.getTime() + 60_000))).toBeNull()
  expect(readPushToken(Buffer.alloc(32, 8), token, now)).toBeNull()
})

it('no other text is a token', () => {
  const token = signPushToken(key, claims)
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '0', '-', '.', '=', ' '), (at, letter) => {
      const changed = token.slice(0, at) + letter + token.slice(at + 1)
      const read = readPushToken(key, changed, now)
      // The last letter of a signature holds bits that mean nothing.
      return changed === token || read === null || at === token.length - 1
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      return readPushToken(key, text, now) === null
    }),
  )
})

it('a token that names no algorithm, or another, is none', () => {
  const [, body] = signPushToken(key, claims).split('.')
  for (const alg of ['none', 'HS512', 'RS256']) {
    const head = Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url')
    expect(readPushToken(key, `${head}.${body}.`, now)).toBeNull()
  }
})
