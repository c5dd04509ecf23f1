import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { SigningKeys } from '../webhooks/signing-keys.ts'

/** What a receiver wants to be told with. */
export interface PushSecrets {
  readonly token: string
  readonly scheme: string
  readonly credentials: string
}

interface Owner {
  readonly tenant: TenantId
  readonly runId: string
  readonly id: string
}

/** Seals what receivers want to be told with: AES-256-GCM with a key of each configuration, which the database lacks. */
export function sealPush(keys: SigningKeys, owner: Owner, secrets: PushSecrets): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', keyOf(keys, owner, keys.keyId), nonce)
  const sealed = Buffer.concat([cipher.update(JSON.stringify(secrets), 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
}

/** Throws `webhook-key-differs` where it was sealed with another key. */
export function openPush(keys: SigningKeys, owner: Owner, sealed: string, keyId: string): PushSecrets {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', keyOf(keys, owner, keyId), bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(12, 28))
  const text = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
  return JSON.parse(text) as PushSecrets
}

function keyOf(keys: SigningKeys, { tenant, runId, id }: Owner, keyId: string): Buffer {
  const secret = keys.secretOf({ tenant, id: `a2a-push/${runId}/${id}`, version: 1, keyId })
  return Buffer.from(secret.slice('whsec_'.length), 'base64')
}

/** As the SDK of the protocol sends them: what `authentication` says goes before the token. */
export function pushHeaders({ token, scheme, credentials }: PushSecrets): Record<string, string> {
  if (scheme !== '') return { authorization: credentials === '' ? scheme : `${scheme} ${credentials}` }
  return token === '' ? {} : { 'x-a2a-notification-token': token }
}
