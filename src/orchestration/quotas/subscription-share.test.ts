import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawOn, type SubscriptionState, type SubscriptionUse } from './subscription-share.ts'

const fresh: SubscriptionState = {
  ...{ windowStart: null, windowEnd: null, usedTokens: 0, usedRequests: 0 },
  ...{ usedPpm: 0, toldPpm: null },
}
const start = Date.parse('2026-11-23T10:00:00Z')
const hours = (count: number) => new Date(start + count * 3_600_000)
const use = (given: Partial<SubscriptionUse>): SubscriptionUse => {
  return { tokens: 0, requests: 0, percent: null, resetsAt: null, ...given }
}

describe('the share of a subscription', () => {
  const five = { timeWindow: '5h', tokens: 1_000_000, requests: 100 }

  test('is that of tokens or of requests, whichever is more, in windows that begin with the first use', () => {
    const first = drawOn(five, fresh, use({ tokens: 250_000, requests: 1 }), hours(0))
    expect(first).toMatchObject({ ppm: 250_000, state: { windowStart: hours(0), windowEnd: hours(5) } })
    const second = drawOn(five, first.state, use({ tokens: 10, requests: 29 }), hours(4))
    expect(second).toMatchObject({ ppm: 50_000, state: { usedPpm: 300_000, windowEnd: hours(5) } })
    const next = drawOn(five, second.state, use({ tokens: 1, requests: 0 }), hours(5))
    expect(next).toMatchObject({ ppm: 1, state: { usedPpm: 1, windowStart: hours(5), windowEnd: hours(10) } })
  })

  test('is what the provider tells, which others use too, and goes on from there', () => {
    const first = drawOn(five, fresh, use({ tokens: 100_000, requests: 1, percent: 40, resetsAt: hours(3) }), hours(0))
    expect(first).toMatchObject({ ppm: 400_000, state: { windowEnd: hours(3), toldPpm: 400_000 } })
    const second = drawOn(five, first.state, use({ tokens: 50_000 }), hours(1))
    expect(second).toMatchObject({ ppm: 50_000, state: { usedPpm: 450_000 } })
    // Our guess was too high: what is on record stays, and the level catches up with it.
    const third = drawOn(five, second.state, use({ tokens: 50_000, percent: 42.5 }), hours(2))
    expect(third).toMatchObject({ ppm: 0, state: { usedPpm: 450_000, toldPpm: 425_000 } })
    expect(drawOn(five, third.state, use({ percent: 46 }), hours(2)).ppm).toBe(10_000)
  })

  test('begins anew where what the provider tells falls', () => {
    const first = drawOn(five, fresh, use({ percent: 90 }), hours(0))
    const next = drawOn(five, first.state, use({ percent: 3, resetsAt: hours(6) }), hours(1))
    expect(next).toMatchObject({ ppm: 30_000, state: { usedPpm: 30_000, windowStart: hours(1), windowEnd: hours(6) } })
    // A level that is rounded otherwise is no new window.
    expect(drawOn(five, first.state, use({ percent: 89.5 }), hours(1))).toMatchObject({
      ppm: 0,
      state: { windowEnd: hours(5) },
    })
  })

  test('of nothing that is known is what is told, and else nothing', () => {
    const unknown = { timeWindow: '7d', tokens: null, requests: null }
    expect(drawOn(unknown, fresh, use({ tokens: 5_000, requests: 3 }), hours(0)).ppm).toBe(0)
    expect(drawOn(unknown, fresh, use({ percent: 12.3456 }), hours(0)).ppm).toBe(123_456)
  })

  test('adds up to the millionth: however the uses are cut, together they are the share of their sum', () => {
    const uses = fc.array(fc.record({ tokens: fc.nat(300_000), requests: fc.nat(3) }), { minLength: 1, maxLength: 60 })
    const terms = fc.record({
      timeWindow: fc.constant('5h'),
      tokens: fc.option(fc.integer({ min: 1, max: 50_000_000 })),
      requests: fc.option(fc.integer({ min: 1, max: 5_000 })),
    })
    fc.assert(
      fc.property(terms, uses, (given, all) => {
        let state = fresh
        let sum = 0
        for (const one of all) {
          const drawn = drawOn(given, state, use(one), hours(1))
          expect(Number.isInteger(drawn.ppm) && drawn.ppm >= 0).toBe(true)
          sum += drawn.ppm
          state = drawn.state
        }
        const total = (of: 'tokens' | 'requests') => all.reduce((all, one) => all + one[of], 0)
        const share = (used: number, holds: number | null) =>
          holds === null ? 0 : Math.ceil((used / holds) * 1e6 - 1e-6)
        expect(state.usedPpm).toBe(sum)
        const wanted = Math.max(share(total('tokens'), given.tokens), share(total('requests'), given.requests))
        expect(Math.abs(sum - wanted)).toBeLessThanOrEqual(wanted > 1e9 ? 1 : 0)
      }),
    )
  })

  test('within a window never falls, whatever is told', () => {
    const told = fc.record({ tokens: fc.nat(100_000), percent: fc.option(fc.float({ min: 0, max: 120, noNaN: true })) })
    fc.assert(
      fc.property(fc.array(told, { maxLength: 40 }), (all) => {
        let state = fresh
        for (const one of all) {
          const before = state
          const drawn = drawOn(five, state, use(one), hours(1))
          state = drawn.state
          expect(drawn.ppm).toBeGreaterThanOrEqual(0)
          const again = before.toldPpm !== null && one.percent !== null && one.percent * 10_000 < before.toldPpm - 5_000
          if (!again) expect(state.usedPpm).toBe(before.usedPpm + drawn.ppm)
        }
      }),
    )
  })
})
