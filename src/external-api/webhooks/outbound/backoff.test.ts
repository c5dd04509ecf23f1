import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../foundation/kernel/random.ts'
import { backoffMs, giveUpAfterMs, retryAfterMs } from './backoff.ts'

describe('pauses', () => {
  test('grow to three hours, and fill a day with about 17 attempts', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed)
        let passed = 0
        let attempts = 1
        for (;;) {
          const pause = backoffMs(attempts, random)
          expect(pause).toBeGreaterThanOrEqual(4_000)
          expect(pause).toBeLessThanOrEqual(3.6 * 3_600_000)
          if (passed + pause > giveUpAfterMs) break
          passed += pause
          attempts += 1
        }
        expect(attempts).toBeGreaterThanOrEqual(14)
        expect(attempts).toBeLessThanOrEqual(21)
        // The last try comes late enough that 20 hours without success are a whole series of tries.
        expect(passed).toBeGreaterThan(20 * 3_600_000)
      }),
    )
  })

  test('differ by chance, so that what failed together does not come back together', () => {
    const random = seededRandom(1)
    const pauses = Array.from({ length: 100 }, () => backoffMs(3, random))
    expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(90)
    expect(Math.max(...pauses) / Math.min(...pauses)).toBeLessThanOrEqual(1.5)
  })

  test('are longer where the receiver asks for it, up to an hour', () => {
    expect(backoffMs(1, seededRandom(1), 120_000)).toBe(120_000)
    expect(backoffMs(1, seededRandom(1), 999_999_999)).toBe(3_600_000)
  })
})

test('Retry-After is seconds or a date', () => {
  const now = new Date('2026-11-23T08:00:00Z')
  expect(retryAfterMs('120', now)).toBe(120_000)
  expect(retryAfterMs('Mon, 23 Nov 2026 08:01:00 GMT', now)).toBe(60_000)
  expect(retryAfterMs('Mon, 23 Nov 2026 07:00:00 GMT', now)).toBe(0)
  expect(retryAfterMs('soon', now)).toBeNull()
  expect(retryAfterMs(undefined, now)).toBeNull()
})
