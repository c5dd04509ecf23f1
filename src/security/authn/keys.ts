import type { KeyView } from './keys-contract.ts'
import type { KeyRow } from './keys-store.ts'

export function keyStateAt(key: Pick<KeyRow, 'revokedAt' | 'expiresAt'>, now: Date): KeyView['state'] {
  if (key.revokedAt !== null) return 'revoked'
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active'
}

export function toKeyView(key: KeyRow, now: Date): KeyView {
  const { hash: _hash, kind: _kind, tenant: _tenant, ...shown } = key
  return {
    ...shown,
    state: keyStateAt(key, now),
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  }
}
