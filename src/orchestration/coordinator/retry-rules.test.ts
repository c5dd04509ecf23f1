import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../foundation/kernel/random.ts'
import type { AttemptError } from '../runners/exchange-contract.ts'
import type { ResolvedRetry } from '../workflows/task-contract.ts'
import { afterAttempt, type EndedAttempt } from './retry-rules.ts'

const steady = { next: () => 0, bytes: (count: number) => new Uint8Array(count) }

function policy(parts: Partial<ResolvedRetry> = {}): ResolvedRetry {
  return { attempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 10_000, jitter: 0.2 }, ...parts }
}

function failed(code: string, parts: Partial<AttemptError> = {}, attempt = 1): EndedAttempt {
  return { outcome: 'failed', attempt, error: { code, message: 'it failed', retry: 'never', ...parts } }
}

const isRetried = (ended: EndedAttempt, retry: ResolvedRetry) => afterAttempt(ended, retry, steady).retryInMs !== null

test.each(['exit-code', 'signal', 'output-invalid', 'agent-unavailable'])('%s may pass, and is tried again', (code) => {
  expect(isRetried(failed(code), policy())).toBe(true)
})

test('a timeout is tried again, whatever error comes with it', () => {
  expect(isRetried({ outcome: 'timed-out', attempt: 1, error: null }, policy())).toBe(true)
  expect(isRetried({ ...failed('command-not-found'), outcome: 'timed-out' }, policy())).toBe(true)
})

test('what cannot pass is not tried again, unless the error itself says it may', () => {
  expect(isRetried(failed('command-not-found'), policy())).toBe(false)
  expect(isRetried(failed('workspace', { retry: 'later' }), policy())).toBe(true)
  expect(isRetried({ outcome: 'failed', attempt: 1, error: null }, policy())).toBe(false)
})

test('a cancelled attempt is the last', () => {
  expect(isRetried({ ...failed('exit-code'), outcome: 'cancelled' }, policy())).toBe(false)
})

test('the number of attempts is the number of attempts', () => {
  expect([1, 2, 3, 4].map((attempt) => isRetried(failed('exit-code', {}, attempt), policy()))).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect(isRetried(failed('exit-code'), policy({ attempts: 1 }))).toBe(false)
})

test('a list of failures replaces the usual ones', () => {
  const retry = policy({ on: [75, 'workspace', 'failed'] })
  expect(isRetried(failed('workspace'), retry)).toBe(true)
  expect(isRetried(failed('exit-code', { exitCode: 75 }), retry)).toBe(true)
  expect(isRetried(failed('exit-code', { exitCode: 1 }), retry)).toBe(false)
  expect(isRetried(failed('signal', { retry: 'later' }), retry)).toBe(false)
  expect(isRetried({ outcome: 'failed', attempt: 1, error: null }, retry)).toBe(true)
})

test('pauses grow by the factor up to the longest', () => {
  const retry = policy({ attempts: 9 })
  const pauses = [1, 2, 3, 4, 5, 6].map(
    (attempt) => afterAttempt(failed('signal', {}, attempt), retry, steady).retryInMs,
  )
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
})

test('jitter takes off at most its share, and is drawn anew', () => {
  const backoff = fc.record({
    initialMs: fc.integer({ min: 1, max: 60_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    maxMs: fc.integer({ min: 1, max: 300_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(backoff, fc.integer({ min: 1, max: 20 }), fc.integer(), (given, attempt, seed) => {
      const retry = policy({ attempts: 99, backoff: given })
      const full = afterAttempt(failed('signal', {}, attempt), retry, steady).retryInMs!
      const drawn = afterAttempt(failed('signal', {}, attempt), retry, seededRandom(seed)).retryInMs!
      expect(full).toBeLessThanOrEqual(given.maxMs)
      expect(drawn).toBeLessThanOrEqual(full)
      expect(drawn).toBeGreaterThanOrEqual(Math.floor(full * (1 - given.jitter)) - 1)
    }),
  )
  const half = { ...steady, next: () => 0.5 }
  expect(afterAttempt(failed('signal'), policy(), half).retryInMs).toBe(900)
})
