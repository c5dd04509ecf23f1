import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readMoment, readRateHeaders } from './rate-headers.ts'

const now = Date.parse('2026-11-23T12:00:00Z')

describe('moments', () => {
  test.each([
    ['20ms', now + 20],
    ['1s', now + 1_000],
    ['1.5s', now + 1_500],
    ['6m0s', now + 360_000],
    ['1m6s', now + 66_000],
    ['1h2m3s', now + 3_723_000],
    ['17', now + 17_000],
    [' 0 ', now],
    [String(now / 1_000 + 30), now + 30_000],
    ['Mon, 23 Nov 2026 12:00:07 GMT', now + 7_000],
    ['2026-11-23T12:01:00Z', now + 60_000],
    ['soon', null],
    ['', null],
    ['99999999999', null],
  ])('%s', (text, expected) => {
    expect(readMoment(text, now)).toBe(expected)
  })

  test('nothing that a provider sends makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const at = readMoment(text, now)
        expect(at === null || Number.isFinite(at)).toBe(true)
      }),
    )
  })
})

describe('headers', () => {
  test('of OpenAI', () => {
    const headers = new Headers({
      ...{
        'x-ratelimit-limit-requests': '60',
        'x-ratelimit-remaining-requests': '59',
        'x-ratelimit-reset-requests': '1s',
      },
      ...{
        'x-ratelimit-limit-tokens': '150000',
        'x-ratelimit-remaining-tokens': '149984',
        'x-ratelimit-reset-tokens': '6m0s',
      },
    })
    expect(readRateHeaders(headers, now)).toEqual({
      requests: { limit: 60, remaining: 59, resetAt: now + 1_000 },
      tokens: { limit: 150_000, remaining: 149_984, resetAt: now + 360_000 },
      retryAt: null,
      at: now,
    })
  })

  test('of Anthropic, with a time to try again', () => {
    const headers = {
      ...{ 'Anthropic-RateLimit-Requests-Limit': '50', 'Anthropic-RateLimit-Requests-Remaining': '0' },
      ...{ 'Anthropic-RateLimit-Requests-Reset': '2026-11-23T12:00:20Z', 'Retry-After': '20' },
    }
    expect(readRateHeaders(headers, now)).toEqual({
      requests: { limit: 50, remaining: 0, resetAt: now + 20_000 },
      tokens: null,
      retryAt: now + 20_000,
      at: now,
    })
  })

  test('milliseconds before seconds, and nonsense as nothing', () => {
    expect(readRateHeaders({ 'retry-after-ms': '250', 'retry-after': '1' }, now).retryAt).toBe(now + 250)
    const nonsense = {
      'x-ratelimit-limit-requests': '-5',
      'x-ratelimit-remaining-requests': 'many',
      'retry-after': 'NaN',
    }
    expect(readRateHeaders(nonsense, now)).toEqual({ requests: null, tokens: null, retryAt: null, at: now })
    expect(readRateHeaders(undefined, now)).toEqual({ requests: null, tokens: null, retryAt: null, at: now })
  })
})
