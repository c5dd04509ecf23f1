import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eachDatabase, openTestDatabase } from '../../../../test/support/databases.ts'
import { ManualClock } from '../../../foundation/kernel/clock.ts'
import { asId, type TenantId } from '../../../foundation/kernel/ids.ts'
import { openDatabase } from '../../../foundation/platform/database/open-database.ts'
import { callerOf } from './caller-address.ts'
import { createFrontDoor } from './front-door.ts'
import type { Limiter } from './limiter.ts'
import { createMemoryLimiter } from './memory-limiter.ts'
import { takeSlices } from './rate-buckets-store.ts'
import { defaultRateLimits } from './rate-limits.ts'
import { createSharedLimiter } from './shared-limiter.ts'
import { type RateLimit, refill, takeOne, waitFor } from './token-bucket.ts'

const onError = (error: unknown) => {
  throw error
}

describe('a token bucket', () => {
  const limits = fc.record({
    requests: fc.integer({ min: 1, max: 1_000 }),
    windowMs: fc.integer({ min: 1, max: 100_000 }),
  })

  test('never lets more through than its quota and what has been refilled since', () => {
    fc.assert(
      fc.property(limits, fc.array(fc.nat(5_000), { maxLength: 200 }), (limit, pauses) => {
        let bucket = { tokens: limit.requests, at: 0 }
        let now = 0
        let passed = 0
        for (const pause of pauses) {
          now += pause
          const { taken, bucket: next } = takeOne(bucket, limit, now)
          bucket = next
          if (taken) passed += 1
          expect(bucket.tokens).toBeGreaterThanOrEqual(0)
          expect(bucket.tokens).toBeLessThanOrEqual(limit.requests)
        }
        expect(passed).toBeLessThanOrEqual(limit.requests + (now / limit.windowMs) * limit.requests + 1e-6)
      }),
    )
  })

  test('whoever waits as long as he is told gets in, and not much earlier', () => {
    fc.assert(
      fc.property(limits, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (limit, tokens) => {
        const wait = waitFor(tokens, limit)
        expect(refill({ tokens, at: 0 }, limit, wait)).toBeGreaterThanOrEqual(1 - 1e-9)
        expect(refill({ tokens, at: 0 }, limit, wait - 2)).toBeLessThan(1)
      }),
    )
  })

  test('time that runs backwards gives nothing', () => {
    expect(refill({ tokens: 1, at: 1_000 }, { requests: 10, windowMs: 100 }, 0)).toBe(1)
  })
})

describe('the limiter of one process', () => {
  test('is the seed’s limit: the 101st request within 60 s is refused, and passes later', () => {
    const clock = new ManualClock()
    const limiter = createMemoryLimiter(clock)
    const { ingress } = defaultRateLimits.named
    const take = () => limiter.take('ip:192.0.2.1', ingress!) as { taken: boolean; waitMs: number }
    expect(Array.from({ length: 100 }, take).every(({ taken }) => taken)).toBe(true)
    const refused = take()
    expect(refused).toMatchObject({ taken: false, waitMs: 600 })
    clock.advance(refused.waitMs)
    expect(take().taken).toBe(true)
    expect(take().taken).toBe(false)
    expect((limiter.take('ip:192.0.2.2', ingress!) as { taken: boolean }).taken).toBe(true)
  })
})

test('an address of IPv6 counts with its network, one of IPv4 alone', () => {
  expect(callerOf('192.0.2.7')).toBe('192.0.2.7')
  expect(callerOf('::ffff:192.0.2.7')).toBe('192.0.2.7')
  expect(callerOf('::1')).toBe('0:0:0:0::/64')
  expect(callerOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), (a, b) => {
      const groups = (ip: string) => {
        const host = new URL(`http://[${ip}]/`).hostname.slice(1, -1)
        const [head = '', tail = ''] = host.split('::')
        const [left, right] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''))
        const zeros = host.includes('::') ? Array(8 - left!.length - right!.length).fill('0') : []
        return [...left!, ...zeros, ...right!].slice(0, 4).join(':')
      }
      if (/\d+\.\d+/.test(a + b)) return
      expect(callerOf(a) === callerOf(b)).toBe(groups(a) === groups(b))
      expect(callerOf(a)).toBe(`${groups(a)}::/64`)
    }),
  )
})

describe('the front door', () => {
  const arrival = { method: 'GET', path: '/a', ip: '192.0.2.1', limit: null }
  const caller = (key: string | null, tenant = 'default') => ({
    id: 'x',
    tenant: asId<TenantId>(tenant),
    permissions: [],
    key,
  })
  const one = { requests: 1, windowMs: 60_000 }
  const none = { ip: null, failures: null, key: null, tenant: null, route: null, named: {} }

  test('counts keys, tenants, routes and addresses apart, and a refusal costs the others nothing', async () => {
    const clock = new ManualClock()
    const door = createFrontDoor(createMemoryLimiter(clock), {
      ...none,
      key: one,
      tenant: { requests: 2, windowMs: 60_000 },
    })
    expect((await door.admit(arrival, caller('k1'))).allowed).toBe(true)
    for (let i = 0; i < 5; i++) {
      const refused = await door.admit(arrival, caller('k1'))
      expect(refused).toMatchObject({
        allowed: false,
        retryAfterMs: 60_000,
        states: [{ name: 'key', remaining: 0, quota: 1 }],
      })
    }
    // The refusals have taken nothing from the tenant.
    expect((await door.admit(arrival, caller('k2'))).allowed).toBe(true)
    expect(await door.admit(arrival, caller('k3'))).toMatchObject({ allowed: false, states: [{ name: 'tenant' }] })
    expect((await door.admit(arrival, caller('k1', 'other'))).allowed).toBe(true)
    const routes = createFrontDoor(createMemoryLimiter(clock), { ...none, route: one })
    expect((await routes.admit(arrival, caller('k1'))).allowed).toBe(true)
    expect((await routes.admit({ ...arrival, path: '/b' }, caller('k1'))).allowed).toBe(true)
    expect((await routes.admit(arrival, caller('k2'))).allowed).toBe(false)
  })

  test('a route may name a limit of its own, for each address', async () => {
    const door = createFrontDoor(createMemoryLimiter(new ManualClock()), { ...none, named: { ingress: one } })
    const hook = { ...arrival, limit: 'ingress' }
    expect((await door.arrive(hook)).allowed).toBe(true)
    expect((await door.arrive(hook)).allowed).toBe(false)
    expect((await door.arrive({ ...hook, ip: '192.0.2.9' })).allowed).toBe(true)
    expect((await door.arrive(arrival)).allowed).toBe(true)
  })

  test('who guesses keys is kept out for a while', async () => {
    const door = createFrontDoor(createMemoryLimiter(new ManualClock()), {
      ...none,
      failures: { requests: 3, windowMs: 60_000 },
    })
    for (let i = 0; i < 3; i++) await door.fail(arrival)
    expect((await door.arrive(arrival)).allowed).toBe(true)
    await door.fail(arrival)
    expect(await door.arrive(arrival)).toMatchObject({ allowed: false })
    expect((await door.arrive({ ...arrival, ip: '192.0.2.9' })).allowed).toBe(true)
  })

  test('the token file of the machine is not counted', async () => {
    const door = createFrontDoor(createMemoryLimiter(new ManualClock()), { ...none, key: one })
    for (let i = 0; i < 5; i++) expect((await door.admit(arrival, caller(null))).allowed).toBe(true)
  })
})

eachDatabase('shared buckets', (use) => {
  const limit: RateLimit = { requests: 100, windowMs: 600_000_000 }

  test('give what they hold and no more, whoever asks', async () => {
    const { db } = use()
    const now = new Date('2026-01-01T00:00:00Z')
    const ask = (wanted: number, at = now) =>
      db.asSystem('test').write((tx) => takeSlices(tx, [{ key: 'a', ...limit, wanted }], at))
    expect(await ask(30)).toEqual([{ key: 'a', granted: 30, tokens: 70 }])
    expect(await ask(60)).toEqual([{ key: 'a', granted: 60, tokens: 10 }])
    expect(await ask(60)).toEqual([{ key: 'a', granted: 10, tokens: 0 }])
    expect(await ask(1)).toEqual([{ key: 'a', granted: 0, tokens: 0 }])
    expect(await ask(-20)).toEqual([{ key: 'a', granted: -20, tokens: 20 }])
    // Half of the window refills half of the quota, and giving back never fills it beyond.
    expect(await ask(0, new Date(now.getTime() + 300_000_000))).toEqual([{ key: 'a', granted: 0, tokens: 70 }])
    expect(await ask(-99, new Date(now.getTime() + 300_000_000))).toEqual([{ key: 'a', granted: -99, tokens: 100 }])
    // A clock that lies behind takes no time away.
    expect(await ask(1, now)).toEqual([{ key: 'a', granted: 1, tokens: 99 }])
  })

  test('are spent by slices, and what is not spent goes back', async () => {
    const { db, owner } = use()
    const limiter = createSharedLimiter({ database: db, onError, holdMs: 30 })
    const first = await limiter.take('a', limit)
    expect(first).toMatchObject({ taken: true })
    const left = async () => (await owner<{ tokens: number }>('select tokens from rate_buckets'))[0]!.tokens
    expect(await left()).toBe(95)
    await expect.poll(left, { timeout: 10_000 }).toBeGreaterThanOrEqual(99)
    await limiter.close()
    expect(await left()).toBeLessThan(99.5)
  })
})

describe('three replicas on one PostgreSQL', () => {
  test('together let exactly the quota through, whatever 64 callers ask of each', async () => {
    const use = await openTestDatabase('postgres')
    const limit: RateLimit = { requests: 500, windowMs: 100_000_000 }
    const others = await Promise.all([1, 2].map(() => openDatabase({ kind: 'postgres', url: use.url!, poolSize: 4 })))
    const limiters: Limiter[] = [use.db, ...others].map((database) =>
      createSharedLimiter({ database, onError, holdMs: 50 }),
    )
    try {
      let passed = 0
      const ask = async (limiter: Limiter) => {
        for (let i = 0; i < 20; i++) if ((await limiter.take('tenant:a', limit)).taken) passed += 1
      }
      await Promise.all(limiters.flatMap((limiter) => Array.from({ length: 64 }, () => ask(limiter))))
      // What one replica still held when another was refused goes back, and can be had by all.
      const deadline = performance.now() + 20_000
      while (passed < 500 && performance.now() < deadline) {
        for (const limiter of limiters) if ((await limiter.take('tenant:a', limit)).taken) passed += 1
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(passed).toBe(500)
      expect((await limiters[0]!.take('tenant:a', limit)).taken).toBe(false)
    } finally {
      for (const limiter of limiters) await limiter.close()
      for (const database of others) await database.close()
      await use.close()
    }
  })
})
