import { createHmac, sign as signBytes } from 'node:crypto'
import { type SigningKeys, versionsOf } from '../signing-keys.ts'
import type { Subscription } from './subscription.ts'

/**
 * The headers of Standard Webhooks. While keys are being replaced there are two signatures of each kind, so that a
 * receiver may know either. Throws `webhook-key-differs`.
 */
export function signatureHeaders(
  keys: SigningKeys,
  subscription: Subscription,
  message: { readonly id: string; readonly body: string; readonly now: Date },
): Record<string, string> {
  const { id, body, now } = message
  const timestamp = String(Math.floor(now.getTime() / 1_000))
  const content = `${id}.${timestamp}.${body}`
  const signatures = versionsOf(subscription, now).flatMap((version) => {
    const owner = { ...subscription, version }
    return subscription.signatures.map((kind) =>
      kind === 'v1'
        ? `v1,${createHmac('sha256', keyOf(keys.secretOf(owner)))
            .update(content)
            .digest('base64')}`
        : `v1a,${signBytes(null, Buffer.from(content), keys.pairOf(owner).privateKey).toString('base64')}`,
    )
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice('whsec_'.length), 'base64')
}
