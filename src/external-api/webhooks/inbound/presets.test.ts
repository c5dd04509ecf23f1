import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { TenantId } from '../../../foundation/kernel/ids.ts'
import { signatureHeaders } from '../outbound/sign.ts'
import { createSigningKeys } from '../signing-keys.ts'
import { hmacOptionsSchema, type Preset } from '../sources-contract.ts'
import { verifierOf } from './presets.ts'
import type { IncomingWebhook } from './signed-request.ts'

const now = Date.parse('2026-11-23T08:00:00Z')
const at = String(now / 1_000)
const secret = 'It is a secret to everybody'
const hmac = hmacOptionsSchema.parse({})
const standardSecret = `whsec_${Buffer.from('a key of thirty-two bytes, truly').toString('base64')}`

function mac(key: string | Buffer, text: string, encoding: 'hex' | 'base64' = 'hex'): string {
  return createHmac('sha256', key).update(text).digest(encoding)
}

/** How each sender signs, written out as its documentation says. */
const senders: Readonly<Record<Preset, (body: string, key: string, time?: string) => Record<string, string>>> = {
  github: (body, key) => ({ 'x-hub-signature-256': `sha256=${mac(key, body)}`, 'x-github-delivery': 'd1' }),
  gitlab: (_, key) => ({ 'x-gitlab-token': key, 'idempotency-key': 'd1' }),
  slack: (body, key, time = at) => ({
    'x-slack-signature': `v0=${mac(key, `v0:${time}:${body}`)}`,
    'x-slack-request-timestamp': time,
  }),
  stripe: (body, key, time = at) => ({
    'stripe-signature': `t=${time},v1=${'0'.repeat(64)},v1=${mac(key, `${time}.${body}`)},v0=abc`,
  }),
  'standard-webhooks': (body, key, time = at) => ({
    'webhook-id': 'd1',
    'webhook-timestamp': time,
    'webhook-signature': `v1,bm9uZQ== v1,${mac(Buffer.from(key.replace('whsec_', ''), 'base64'), `d1.${time}.${body}`, 'base64')}`,
  }),
  hmac: (body, key) => ({ 'x-signature': mac(key, body) }),
}
const secretFor = (preset: Preset) => (preset === 'standard-webhooks' ? standardSecret : secret)
const presets = Object.keys(senders) as Preset[]

function verify(preset: Preset, request: IncomingWebhook, secrets: readonly string[], options: object = {}) {
  return verifierOf(preset, { toleranceMs: 300_000, hmac: { ...hmac, ...options } })(request, secrets, now)
}

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (isAppError(error)) return error.code
    throw error
  }
  return 'accepted'
}

describe.each(presets)('%s', (preset) => {
  const body = '{"ref":"refs/heads/main"}'
  const key = secretFor(preset)
  const request = (headers = senders[preset](body, key), text = body) => ({ headers, body: Buffer.from(text) })

  test('accepts what was signed with any of its secrets', () => {
    expect(codeOf(() => verify(preset, request(), [key]))).toBe('accepted')
    expect(codeOf(() => verify(preset, request(), [standardSecret.replace('a', 'b'), key]))).toBe('accepted')
  })

  test('refuses another secret and a missing header', () => {
    const other = preset === 'standard-webhooks' ? `whsec_${randomBytes(32).toString('base64')}` : 'another secret'
    expect(codeOf(() => verify(preset, request(), [other]))).toBe('webhook-signature-invalid')
    expect(codeOf(() => verify(preset, request(), []))).toBe('webhook-signature-invalid')
    expect(codeOf(() => verify(preset, request({}), [key]))).toBe('webhook-signature-missing')
  })

  if (preset !== 'gitlab')
    test('refuses every body but the one that was signed', () => {
      const headers = senders[preset](body, key)
      fc.assert(
        fc.property(fc.string(), (text) => {
          fc.pre(text !== body)
          expect(codeOf(() => verify(preset, request(headers, text), [key]))).toBe('webhook-signature-invalid')
        }),
      )
    })

  test('refuses a signature of which any one character differs', () => {
    const headers = senders[preset](body, key)
    const name = Object.keys(headers).find((header) => /signature|token/.test(header))!
    const value = headers[name]!
    for (let n = 0; n < value.length; n++) {
      const flipped = value.slice(0, n) + (value[n] === 'f' ? 'e' : 'f') + value.slice(n + 1)
      const isTheOne = codeOf(() => verify(preset, request({ ...headers, [name]: flipped }), [key]))
      // A character of what is not this signature (another version of it, padding) may be any.
      if (isTheOne === 'accepted') expect(stillHolds(preset, flipped, value)).toBe(true)
    }
  })

  if (['slack', 'stripe', 'standard-webhooks'].includes(preset))
    test('refuses old and future times', () => {
      const signedAt = (seconds: number) => request(senders[preset](body, key, String(now / 1_000 + seconds)))
      expect(codeOf(() => verify(preset, signedAt(-300), [key]))).toBe('accepted')
      expect(codeOf(() => verify(preset, signedAt(300), [key]))).toBe('accepted')
      expect(codeOf(() => verify(preset, signedAt(-301), [key]))).toBe('webhook-timestamp-outside')
      expect(codeOf(() => verify(preset, signedAt(301), [key]))).toBe('webhook-timestamp-outside')
      const odd = request(senders[preset](body, key, '1e12'))
      expect(codeOf(() => verify(preset, odd, [key]))).toBe('webhook-timestamp-outside')
    })
})

/** Whether the true signature is still in the header after one other character was changed. */
function stillHolds(preset: Preset, flipped: string, value: string): boolean {
  const parts = preset === 'stripe' ? value.split(',') : value.split(' ')
  const kept = (preset === 'stripe' ? flipped.split(',') : flipped.split(' ')).filter((part) => parts.includes(part))
  if (preset === 'stripe') return kept.some((part) => part.startsWith('v1=') && !part.startsWith('v1=00'))
  if (preset === 'standard-webhooks') {
    const own = parts[1]!
    const same = (part: string) => Buffer.from(part.slice(3), 'base64').equals(Buffer.from(own.slice(3), 'base64'))
    return flipped.split(' ').some((part) => part.startsWith('v1,') && same(part))
  }
  return flipped.toLowerCase() === value.toLowerCase()
}

test('what GitHub documents as an example is accepted', () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  const headers = {
    'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
  }
  expect(
    codeOf(() => verify('github', { headers, body: Buffer.from('Hello, World!') }, ["It's a Secret to Everybody"])),
  ).toBe('accepted')
})

test('what Slack documents as an example is accepted', () => {
  // https://api.slack.com/authentication/verifying-requests-from-slack
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
  const headers = {
    'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    'x-slack-request-timestamp': '1531420618',
  }
  const check = verifierOf('slack', { toleranceMs: 300_000, hmac })
  expect(
    codeOf(() => check({ headers, body: Buffer.from(body) }, ['8f742231b10e8888abcd99yyyzzz85a5'], 1_531_420_618_000)),
  ).toBe('accepted')
})

test('generic HMAC follows its options: algorithm, encoding, prefix, time and template', () => {
  const options = {
    header: 'x-sig',
    algorithm: 'sha512',
    encoding: 'base64',
    prefix: 'v1:',
    timestampHeader: 'x-time',
    idHeader: 'x-id',
    typeHeader: 'x-event',
    template: '{id}:{timestamp}:{body}',
  } as const
  const signature = createHmac('sha512', secret).update(`i9:${at}:hi`).digest('base64')
  const headers = { 'x-sig': `v1:${signature}`, 'x-time': at, 'x-id': 'i9', 'x-event': 'greeted' }
  const request = { headers, body: Buffer.from('hi') }
  expect(verify('hmac', request, [secret], options)).toMatchObject({ deliveryId: 'i9', type: 'greeted' })
  const moved = { ...request, headers: { ...headers, 'x-time': String(now / 1_000 + 1) } }
  expect(codeOf(() => verify('hmac', moved, [secret], options))).toBe('webhook-signature-invalid')
})

describe('our own signatures', () => {
  const keys = createSigningKeys(Buffer.alloc(32, 7))
  const subscription = {
    tenant: 'default' as TenantId,
    id: 'wsub_1',
    keyId: keys.keyId,
    secretVersion: 2,
    previousUntil: new Date(now + 1_000),
    signatures: ['v1', 'v1a'],
  } as unknown as Parameters<typeof signatureHeaders>[1]

  test.each([1, 2])('are verified with the secret and the public key of version %i while both count', (version) => {
    const owner = { ...subscription, version }
    const body = '{"a":1}'
    const headers = signatureHeaders(keys, subscription, { id: 'whd_1', body, now: new Date(now) })
    for (const key of [keys.secretOf(owner), keys.pairOf(owner).publicKey]) {
      expect(codeOf(() => verify('standard-webhooks', { headers, body: Buffer.from(body) }, [key]))).toBe('accepted')
      expect(codeOf(() => verify('standard-webhooks', { headers, body: Buffer.from('{"a":2}') }, [key]))).toBe(
        'webhook-signature-invalid',
      )
    }
  })

  test('no longer carry the old version when its time is over', () => {
    const later = new Date(now + 2_000)
    const headers = signatureHeaders(keys, subscription, { id: 'whd_1', body: 'x', now: later })
    expect(headers['webhook-signature']!.split(' ')).toHaveLength(2)
  })

  test('secrets follow from the key, the owner and the version, and from nothing else', () => {
    const owner = { tenant: 'a' as TenantId, id: 'x', version: 1, keyId: keys.keyId }
    const variants = [owner, { ...owner, tenant: 'b' as TenantId }, { ...owner, id: 'y' }, { ...owner, version: 2 }]
    expect(new Set(variants.map((variant) => keys.secretOf(variant))).size).toBe(4)
    expect(createSigningKeys(Buffer.alloc(32, 7)).secretOf(owner)).toBe(keys.secretOf(owner))
    expect(codeOf(() => createSigningKeys(Buffer.alloc(32, 8)).secretOf(owner))).toBe('webhook-key-differs')
  })
})
