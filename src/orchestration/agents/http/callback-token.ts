import { createHmac, timingSafeEqual } from 'node:crypto'

export interface TokenClaims {
  readonly tenant: string
  /** Of the call: the attempt that began it. */
  readonly id: string
  /** ms since 1970. */
  readonly expiresAt: number
}

const prefix = 'lvs_'

/** What a service shows to tell something of one call: what it is for, signed with the key of that call. */
export function signToken(claims: TokenClaims, key: Uint8Array): string {
  const text = Buffer.from(JSON.stringify([claims.tenant, claims.id, claims.expiresAt])).toString('base64url')
  return `${prefix}${text}.${macOf(text, key)}`
}

/** What it claims to be for; null for anything that is no token. Not yet believed. */
export function readToken(token: string): TokenClaims | null {
  const text = /^lvs_([\w-]{1,600})\.[\w-]{43}$/.exec(token)?.[1]
  if (text === undefined) return null
  try {
    const claims: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (!Array.isArray(claims)) return null
    const [tenant, id, expiresAt] = claims as unknown[]
    if (typeof tenant !== 'string' || typeof id !== 'string' || typeof expiresAt !== 'number') return null
    return { tenant, id, expiresAt }
  } catch {
    return null
  }
}

export function isSigned(token: string, key: Uint8Array): boolean {
  const [text = '', mac = ''] = token.slice(prefix.length).split('.')
  const expected = Buffer.from(macOf(text, key))
  const shown = Buffer.from(mac)
  return shown.length === expected.length && timingSafeEqual(shown, expected)
}

function macOf(text: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}
