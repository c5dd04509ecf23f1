import { createHash, hash, timingSafeEqual } from 'node:crypto'
import { webhookErrors } from '../webhook-errors.ts'

export type Headers = Readonly<Record<string, string | string[] | undefined>>

export interface IncomingWebhook {
  /** Names in lower case. */
  readonly headers: Headers
  /** The bytes as they came: what the signature was made over. */
  readonly body: Buffer
}

/** What a valid signature vouches for. */
export interface Verified {
  /** Digest of what was signed; null where the sender signs nothing but shows a token. */
  readonly signed: string | null
  /** What the headers call the delivery; null where only the body may say. */
  readonly deliveryId: string | null
  /** What happened, in the sender's words, as far as the headers say. */
  readonly type: string | null
}

/** A way to sign. Throws the `webhook-` errors of kind `unauthenticated`. */
export type Verify = (request: IncomingWebhook, secrets: readonly string[], nowMs: number) => Verified

export function headerOf(headers: Headers, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : null
}

export function requireHeader(headers: Headers, name: string): string {
  const value = headerOf(headers, name)
  if (value === null) {
    throw webhookErrors['webhook-signature-missing'](`the header ${name} is missing`, { details: { header: name } })
  }
  return value
}

/** Unix seconds of a header. Throws unless they are within `toleranceMs` of now, on either side. */
export function requireRecent(text: string, nowMs: number, toleranceMs: number): void {
  const at = /^\d{1,12}$/.test(text) ? Number(text) * 1_000 : Number.NaN
  if (Math.abs(nowMs - at) <= toleranceMs) return
  throw webhookErrors['webhook-timestamp-outside'](
    `the signed time ${JSON.stringify(text.slice(0, 20))} is not within ${toleranceMs / 1_000} s of now`,
  )
}

/** Compares without telling by the time it takes where the difference lies. */
export function equalBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

export function refuseSignature(): Error {
  return webhookErrors['webhook-signature-invalid']('the signature does not fit the body and the secret of the source')
}

/** Names what was signed, so that it can be recognised under another delivery id. */
export function digestOf(...parts: readonly (string | Buffer)[]): string {
  if (parts.length === 1) return hash('sha256', parts[0]!, 'base64url')
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('base64url')
}
