import { hash as digest, timingSafeEqual } from 'node:crypto'
import { type Random, systemRandom } from '../../foundation/kernel/random.ts'

export type KeyKind = 'key' | 'runner'

const marks: Readonly<Record<KeyKind, string>> = { key: 'lvk', runner: 'lvr' }
const letters = '0123456789abcdefghjkmnpqrstvwxyz'

export interface NewKey {
  /** Shown once: `lvk_<prefix>_<secret>`. The beginning lets leak scanners know it. */
  readonly text: string
  /** Finds the row; no secret. */
  readonly prefix: string
  readonly hash: Buffer
}

/** A key of 32 random bytes. They cannot be guessed, so a plain SHA-256 keeps them as safe as a slow hash would. */
export function createKey(kind: KeyKind, random: Random = systemRandom): NewKey {
  const name = [...random.bytes(12)].map((byte) => letters[byte % 32]).join('')
  const prefix = `${marks[kind]}_${name}`
  const text = `${prefix}_${Buffer.from(random.bytes(32)).toString('base64url')}`
  return { text, prefix, hash: hashKey(text) }
}

/** The look-up prefix of what a caller shows; null for what cannot be one of our keys. */
export function prefixOf(text: string): string | null {
  return /^(lv[kr]_[0-9a-z]{12})_[\w-]{43}$/.exec(text)?.[1] ?? null
}

export function hashKey(text: string): Buffer {
  return digest('sha256', text, 'buffer')
}

/** In a time that does not tell how much of it is right. */
export function isKey(text: string, hash: Uint8Array): boolean {
  return hash.length === 32 && timingSafeEqual(hashKey(text), hash)
}
