import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import { webhookErrors } from './webhook-errors.ts'

/** What a secret belongs to. A new version is another secret. */
export interface SecretOwner {
  readonly tenant: TenantId
  readonly id: string
  readonly version: number
  /** The key that made it, as it was recorded with the owner. */
  readonly keyId: string
}

/**
 * The secrets of webhooks. None is stored: each follows from one key of 32 bytes and from what it belongs to, so that a
 * copy of the database signs nothing.
 */
export interface SigningKeys {
  /** Tells keys apart without telling anything of them. */
  readonly keyId: string
  /** `whsec_` and base64, as Standard Webhooks write a symmetric secret. Throws `webhook-key-differs`. */
  secretOf(owner: SecretOwner): string
  /** For asymmetric signatures (`v1a`); the public half is written `whpk_` and base64. Throws `webhook-key-differs`. */
  pairOf(owner: SecretOwner): { readonly privateKey: KeyObject; readonly publicKey: string }
}

/** DER of an Ed25519 private key (RFC 8410) up to its 32 bytes. */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex')

export function createSigningKeys(master: Uint8Array): SigningKeys {
  const keyId = createHash('sha256').update('leanvibe webhook key id').update(master).digest('hex').slice(0, 16)
  const derive = (owner: SecretOwner, use: string): Buffer => {
    if (owner.keyId !== keyId) {
      throw webhookErrors['webhook-key-differs'](`${owner.id} was made with the key ${owner.keyId}, here is ${keyId}`)
    }
    const info = JSON.stringify([use, owner.tenant, owner.id, owner.version])
    return Buffer.from(hkdfSync('sha256', master, 'leanvibe webhooks', info, 32))
  }
  const secretOf = (owner: SecretOwner) => `whsec_${derive(owner, 'v1').toString('base64')}`
  const pairOf = (owner: SecretOwner) => {
    const privateKey = createPrivateKey({
      key: Buffer.concat([pkcs8Head, derive(owner, 'v1a')]),
      format: 'der',
      type: 'pkcs8',
    })
    const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
    return { privateKey, publicKey: `whpk_${Buffer.from(x!, 'base64url').toString('base64')}` }
  }
  return { keyId, secretOf: remember(secretOf), pairOf: remember(pairOf) }
}

const mostRemembered = 10_000

/** Deriving costs more than signing; the latest are kept. */
function remember<T>(derive: (owner: SecretOwner) => T): (owner: SecretOwner) => T {
  const kept = new Map<string, T>()
  return (owner) => {
    const name = `${owner.keyId} ${owner.tenant} ${owner.id} ${owner.version}`
    const known = kept.get(name)
    if (known !== undefined) return known
    const derived = derive(owner)
    if (kept.size >= mostRemembered) kept.delete(kept.keys().next().value!)
    kept.set(name, derived)
    return derived
  }
}

/** The versions of a derived secret that count at `now`, the newest first. */
export function versionsOf(
  owner: { readonly secretVersion: number; readonly previousUntil: Date | null },
  now: Date,
): readonly number[] {
  const { secretVersion, previousUntil } = owner
  return previousUntil !== null && previousUntil > now && secretVersion > 1
    ? [secretVersion, secretVersion - 1]
    : [secretVersion]
}
