import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterObserved, type LimiterState, noLimits, type Observed, startLimiter } from './limiter.ts'
import { grant, type OtherSlice } from './share-out.ts'

const start = Date.parse('2026-11-23T12:00:00Z')
const nothing: Observed = { successes: 0, refused: [], told: null, unusedRequests: 0, unusedTokens: 0, underWay: 0 }
const demand = (waiting: number, inFlight = 0, priority = 5) => ({
  waiting,
  inFlight,
  waitingTokens: waiting * 100,
  priority,
})

describe('what an account may take', () => {
  test('configured limits are the most there is, however well it goes', () => {
    const settings = { requestsPerMinute: 600, tokensPerMinute: 60_000, concurrent: 5 }
    let state = startLimiter(settings, start)
    for (let second = 1; second <= 60; second++) {
      state = afterObserved(state, settings, { ...nothing, successes: 10 }, start + second * 1_000)
    }
    expect(state.requests.perSecond).toBe(10)
    expect(state.concurrent).toBe(5)
  })

  test('a refusal cuts the pace and is not heard twice', () => {
    let state = startLimiter(noLimits, start)
    state = afterObserved(state, noLimits, { ...nothing, successes: 40 }, start + 500)
    const cut = afterObserved(state, noLimits, { ...nothing, refused: [start + 600] }, start + 700)
    expect(cut.requests.perSecond).toBeCloseTo(34)
    expect(cut.concurrent).toBe(5)
    expect(cut.blockedUntil).toBe(start + 1_700)
    // Calls of the same burst: they say nothing new.
    const again = afterObserved(cut, noLimits, { ...nothing, refused: [start + 610, start + 620] }, start + 750)
    expect(again.requests.perSecond).toBeCloseTo(34)
    expect(again.concurrent).toBe(5)
  })

  test('a time to try again is kept to', () => {
    const told = { requests: null, tokens: null, retryAt: start + 30_000, at: start }
    const state = afterObserved(
      startLimiter(noLimits, start),
      noLimits,
      { ...nothing, refused: [start], told },
      start + 10,
    )
    for (const at of [start + 100, start + 29_999]) {
      expect(grant(state, demand(10), [], at).grant.requests).toBe(0)
    }
    expect(grant(state, demand(10), [], start + 30_001).grant.requests).toBeGreaterThan(0)
  })

  test('what the provider says of its limit sets the pace', () => {
    const told = {
      requests: { limit: 60, remaining: 20, resetAt: start + 4_000 },
      tokens: null,
      retryAt: null,
      at: start,
    }
    // It is heard of later than it was said.
    const state = afterObserved(
      startLimiter(noLimits, start),
      noLimits,
      { ...nothing, successes: 40, told },
      start + 900,
    )
    expect(state.requests.perSecond).toBeCloseTo(10, 0)
    expect(state.requests.level).toBeLessThanOrEqual(20)
  })

  test('after a refusal it grows again, slowly at first', () => {
    let state = afterObserved(startLimiter(noLimits, start), noLimits, { ...nothing, successes: 50 }, start)
    state = afterObserved(state, noLimits, { ...nothing, refused: [start + 1] }, start + 2)
    const paces: number[] = []
    for (let second = 1; second <= 12; second++) {
      state = afterObserved(state, noLimits, { ...nothing, successes: 40 }, start + 1_000 + second * 1_000)
      paces.push(state.requests.perSecond!)
    }
    expect(paces[0]! / 42.5).toBeLessThan(1.06)
    expect(paces.at(-1)!).toBeGreaterThan(50)
  })
})

describe('sharing an account', () => {
  test('higher priorities first, and a tenth for the others', () => {
    const settings = { requestsPerMinute: 6_000, tokensPerMinute: null, concurrent: 100 }
    const state = startLimiter(settings, start)
    const high: OtherSlice = { ...demand(500, 0, 9), permits: 0 }
    expect(grant(state, demand(500, 0, 1), [high], start).grant.requests).toBe(10)
    expect(grant(state, demand(500, 0, 9), [{ ...high, priority: 1 }], start).grant.requests).toBe(100)
    expect(grant(state, demand(500, 0, 9), [high], start).grant.requests).toBe(50)
  })

  test('the fleet never gets more than there is, whoever asks when', () => {
    const action = fc.record({
      process: fc.nat(3),
      waiting: fc.nat(200),
      priority: fc.nat(9),
      wait: fc.nat(2_000),
      used: fc.integer({ min: 0, max: 100 }),
      finished: fc.integer({ min: 0, max: 100 }),
    })
    fc.assert(
      fc.property(
        fc.record({ perMinute: fc.integer({ min: 1, max: 60_000 }), concurrent: fc.integer({ min: 1, max: 50 }) }),
        fc.array(action, { maxLength: 60 }),
        ({ perMinute, concurrent }, actions) => {
          const settings = { requestsPerMinute: perMinute, tokensPerMinute: null, concurrent }
          let state: LimiterState = startLimiter(settings, start)
          const slices = [0, 1, 2, 3].map((): OtherSlice & { left: number } => ({ ...demand(0), permits: 0, left: 0 }))
          let now = start
          let sent = 0
          for (const { process, waiting, priority, wait, used, finished } of actions) {
            now += wait
            const own = slices[process]!
            const inFlight = own.inFlight - Math.floor((own.inFlight * finished) / 100)
            state = afterObserved(state, settings, { ...nothing, unusedRequests: own.left }, now)
            const others = slices.filter((slice) => slice !== own)
            const result = grant(state, demand(waiting, inFlight, priority), others, now)
            state = result.state
            const { requests, permits } = result.grant
            const calls = Math.min(Math.floor((requests * used) / 100), permits - inFlight)
            sent += calls
            slices[process] = { ...demand(waiting, inFlight + calls, priority), permits, left: requests - calls }
            const underWay = slices.reduce((sum, slice) => sum + slice.inFlight, 0)
            expect(underWay).toBeLessThanOrEqual(concurrent)
            const perSecond = perMinute / 60
            expect(sent).toBeLessThanOrEqual(Math.max(1, perSecond) + (perSecond * (now - start)) / 1_000 + 1e-6)
          }
        },
      ),
    )
  })
})
