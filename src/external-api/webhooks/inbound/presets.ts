import { createHmac, createPublicKey, type KeyObject, verify as verifyBytes } from 'node:crypto'
import type { HmacOptions, Preset } from '../sources-contract.ts'
import {
  digestOf,
  equalBytes,
  headerOf,
  refuseSignature,
  requireHeader,
  requireRecent,
  type Verify,
} from './signed-request.ts'

export interface PresetOptions {
  readonly toleranceMs: number
  readonly hmac: HmacOptions
}

/** How the requests of a source are verified. */
export function verifierOf(preset: Preset, options: PresetOptions): Verify {
  switch (preset) {
    case 'github':
      return verifyGithub
    case 'gitlab':
      return verifyGitlab
    case 'slack':
      return verifySlack(options.toleranceMs)
    case 'stripe':
      return verifyStripe(options.toleranceMs)
    case 'standard-webhooks':
      return verifyStandard(options.toleranceMs)
    case 'hmac':
      return verifyHmac(options.hmac, options.toleranceMs)
  }
}

/**
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. The signature covers the body alone, and
 * two deliveries may have the same body: only their ids tell them apart.
 */
const verifyGithub: Verify = ({ headers, body }, secrets) => {
  const given = decode(requireHeader(headers, 'x-hub-signature-256'), 'hex', 'sha256=')
  requireMac('sha256', secrets, [body], [given])
  const deliveryId = headerOf(headers, 'x-github-delivery')
  return {
    signed: deliveryId === null ? digestOf(body) : null,
    deliveryId,
    type: headerOf(headers, 'x-github-event'),
  }
}

/** GitLab sends the secret itself; there is nothing by which a copy could be told from the original but its id. */
const verifyGitlab: Verify = ({ headers }, secrets) => {
  const given = macOf('sha256', 'token', [requireHeader(headers, 'x-gitlab-token')])
  if (!secrets.some((secret) => equalBytes(macOf('sha256', 'token', [secret]), given))) throw refuseSignature()
  return {
    signed: null,
    deliveryId: headerOf(headers, 'idempotency-key') ?? headerOf(headers, 'x-gitlab-event-uuid'),
    type: headerOf(headers, 'x-gitlab-event'),
  }
}

/** https://api.slack.com/authentication/verifying-requests-from-slack */
function verifySlack(toleranceMs: number): Verify {
  return ({ headers, body }, secrets, nowMs) => {
    const given = decode(requireHeader(headers, 'x-slack-signature'), 'hex', 'v0=')
    const at = requireHeader(headers, 'x-slack-request-timestamp')
    const parts = [`v0:${at}:`, body]
    requireMac('sha256', secrets, parts, [given])
    requireRecent(at, nowMs, toleranceMs)
    return { signed: digestOf(...parts), deliveryId: null, type: null }
  }
}

/** https://docs.stripe.com/webhooks#verify-manually */
function verifyStripe(toleranceMs: number): Verify {
  return ({ headers, body }, secrets, nowMs) => {
    const fields = requireHeader(headers, 'stripe-signature')
      .split(',')
      .map((field) => field.trim().split('='))
    const at = fields.find(([name]) => name === 't')?.[1] ?? ''
    const given = fields.filter(([name]) => name === 'v1').map(([, value]) => decode(value ?? '', 'hex', ''))
    const parts = [`${at}.`, body]
    requireMac('sha256', secrets, parts, given.slice(0, 8))
    requireRecent(at, nowMs, toleranceMs)
    return { signed: digestOf(...parts), deliveryId: null, type: null }
  }
}

/** https://github.com/standard-webhooks/standard-webhooks, symmetric (v1) and asymmetric (v1a). */
function verifyStandard(toleranceMs: number): Verify {
  return ({ headers, body }, secrets, nowMs) => {
    const family =
      headerOf(headers, 'webhook-id') === null && headerOf(headers, 'svix-id') !== null ? 'svix' : 'webhook'
    const id = requireHeader(headers, `${family}-id`)
    const at = requireHeader(headers, `${family}-timestamp`)
    const given = requireHeader(headers, `${family}-signature`).split(' ').slice(0, 8)
    const parts = [`${id}.${at}.`, body]
    const fits = given.some((text) => {
      const comma = text.indexOf(',')
      const bytes = Buffer.from(text.slice(comma + 1), 'base64')
      const scheme = text.slice(0, comma)
      return secrets.some((secret) =>
        scheme === 'v1a'
          ? secret.startsWith('whpk_') &&
            verifyBytes(null, Buffer.concat(parts.map(toBytes)), publicKeyOf(secret), bytes)
          : scheme === 'v1' && !secret.startsWith('whpk_') && equalBytes(macOf('sha256', keyOf(secret), parts), bytes),
      )
    })
    if (!fits) throw refuseSignature()
    requireRecent(at, nowMs, toleranceMs)
    return { signed: digestOf(...parts), deliveryId: id, type: null }
  }
}

function verifyHmac(options: HmacOptions, toleranceMs: number): Verify {
  const { header, algorithm, encoding, prefix, timestampHeader, idHeader, typeHeader } = options
  return ({ headers, body }, secrets, nowMs) => {
    const given = decode(requireHeader(headers, header), encoding, prefix)
    const at = timestampHeader === undefined ? '' : requireHeader(headers, timestampHeader)
    const id = idHeader === undefined ? null : headerOf(headers, idHeader)
    const parts = options.template
      .split(/(\{timestamp\}|\{id\}|\{body\})/)
      .map((part) => (part === '{timestamp}' ? at : part === '{id}' ? (id ?? '') : part === '{body}' ? body : part))
    requireMac(algorithm, secrets, parts, [given])
    // A time that is not part of what was signed could be anything.
    if (timestampHeader !== undefined && options.template.includes('{timestamp}')) requireRecent(at, nowMs, toleranceMs)
    return {
      signed: digestOf(...parts),
      deliveryId: id,
      type: typeHeader === undefined ? null : headerOf(headers, typeHeader),
    }
  }
}

function requireMac(
  algorithm: string,
  secrets: readonly string[],
  parts: readonly (string | Buffer)[],
  given: readonly Buffer[],
): void {
  for (const secret of secrets) {
    const expected = macOf(algorithm, secret, parts)
    if (given.some((bytes) => equalBytes(bytes, expected))) return
  }
  throw refuseSignature()
}

function macOf(algorithm: string, key: string | Buffer, parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac(algorithm, key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** The bytes of a signature; none where it lacks its prefix or is not written as it should be, so that it equals nothing. */
function decode(text: string, encoding: 'hex' | 'base64' | 'base64url', prefix: string): Buffer {
  if (!text.startsWith(prefix)) return Buffer.alloc(0)
  const rest = text.slice(prefix.length)
  return encoding !== 'hex' || /^[0-9a-f]+$/i.test(rest) ? Buffer.from(rest, encoding) : Buffer.alloc(0)
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
}

function publicKeyOf(secret: string): KeyObject {
  const x = Buffer.from(secret.slice('whpk_'.length), 'base64').toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

function toBytes(part: string | Buffer): Buffer {
  return typeof part === 'string' ? Buffer.from(part) : part
}
