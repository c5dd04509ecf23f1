import { hash, timingSafeEqual } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Random, systemRandom } from '../../kernel/random.ts'
import type { Principal } from './principal.ts'

export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Where a request comes from, as far as the caller's rights depend on it. */
export interface RequestOrigin {
  readonly ip: string
}

/**
 * Answers who sends a request, from its headers; null when nobody known does. It may throw: `forbidden` for a caller who is
 * known, but not welcome now. Where the caller is remembered the answer is there at once.
 */
export type Authenticate = (headers: Headers, origin: RequestOrigin) => Promise<Principal | null> | Principal | null

/** What the caller shows: `Authorization: Bearer ...` or `X-API-Key`. */
export function readCredential(headers: Headers): string | null {
  const { authorization, 'x-api-key': key } = headers
  if (typeof authorization === 'string') return /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1] ?? null
  return typeof key === 'string' && /^[\x21-\x7e]+$/.test(key) ? key : null
}

/** 256 random bits, recognisable in a leak scan by their prefix. */
export function createToken(random: Random = systemRandom): string {
  return `lvt_${Buffer.from(random.bytes(32)).toString('base64url')}`
}

/** Writes the token where only its owner can read it; readers see the old file or the whole new one. */
export async function writeTokenFile(path: string, token: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.new`
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(`${token}\n`)
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}

/** Accepts exactly one bearer token, compared in constant time. */
export function bearerTokenOf(token: string, principal: Principal): Authenticate {
  const expected = digest(token)
  const length = token.length
  return (headers) => {
    const shown = readCredential(headers)
    // Its length is no secret; other callers cost no digest.
    if (shown?.length !== length) return null
    return timingSafeEqual(digest(shown), expected) ? principal : null
  }
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
