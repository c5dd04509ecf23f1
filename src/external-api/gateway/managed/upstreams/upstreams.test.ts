import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LatencyHistogram } from '../figures/latency-histogram.ts'
import { Breaker, type BreakerRule, type Permit } from './breaker.ts'
import { breakerTable } from './breaker-states-contract.ts'
import { RetryBudget } from './retry-budget.ts'
import { SlidingCounts } from './sliding-counts.ts'

const rule: BreakerRule = { failures: 3, rate: 0.5, requests: 10, openMs: 1_000, probes: 2, successes: 2 }
const take = (breaker: Breaker, now: number): Permit => {
  const permit = breaker.acquire(now)
  if (permit === null) throw new Error(`nothing is let through at ${now}`)
  return permit
}
const failing = (breaker: Breaker, times: number, now = 0) => {
  for (let n = 0; n < times; n++) breaker.fail(take(breaker, now), now)
}

describe('a breaker', () => {
  test('opens after failures in a row, lets probes through in time, and closes when they succeed', () => {
    const breaker = new Breaker('u', rule)
    failing(breaker, 2)
    breaker.succeed(take(breaker, 0), 0)
    failing(breaker, 2)
    expect(breaker.state).toBe('closed')
    failing(breaker, 1)
    expect([breaker.state, breaker.acquire(999), breaker.waitMs(400)]).toEqual(['open', null, 600])
    const probes = [take(breaker, 1_000), take(breaker, 1_000)]
    expect([breaker.state, breaker.acquire(1_000)]).toEqual(['half-open', null])
    for (const probe of probes) breaker.succeed(probe, 1_001)
    expect(breaker.state).toBe('closed')
  })

  test('a probe that fails opens it again; one whose client went away makes room for the next', () => {
    const breaker = new Breaker('u', rule)
    failing(breaker, 3)
    const probe = take(breaker, 1_000)
    breaker.release(take(breaker, 1_000))
    take(breaker, 1_000)
    expect(breaker.acquire(1_000)).toBeNull()
    breaker.fail(probe, 1_500)
    expect([breaker.state, breaker.waitMs(1_500)]).toEqual(['open', 1_000])
  })

  test('opens by the share of failures, of enough requests in ten seconds', () => {
    const breaker = new Breaker('u', rule)
    const both = (now: number) => {
      breaker.succeed(take(breaker, now), now)
      breaker.fail(take(breaker, now), now)
    }
    for (let n = 0; n < 4; n++) both(0)
    for (let n = 0; n < 4; n++) both(15_000)
    expect(breaker.state).toBe('closed')
    both(15_000)
    expect(breaker.state).toBe('open')
  })

  test('results of an earlier time change nothing', () => {
    const breaker = new Breaker('u', rule)
    const old = [take(breaker, 0), take(breaker, 0)]
    failing(breaker, 3)
    take(breaker, 1_000)
    breaker.fail(old[0]!, 1_001)
    breaker.succeed(old[1]!, 1_001)
    expect(breaker.state).toBe('half-open')
  })

  test('whatever happens: never more probes than allowed, and never for ever closed to all', () => {
    const step = fc.constantFrom('acquire', 'succeed', 'fail', 'release', 'wait')
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(2_000)), { maxLength: 200 }), (steps) => {
        const breaker = new Breaker('u', rule)
        let now = 0
        let held: { permit: Permit; probe: boolean }[] = []
        for (const [what, ms] of steps) {
          const state = breaker.state
          if (what === 'wait') now += ms
          else if (what === 'acquire') {
            const permit = breaker.acquire(now)
            if (permit !== null) held.push({ permit, probe: breaker.state === 'half-open' })
          } else {
            const one = held.shift()
            if (one === undefined) continue
            if (what === 'release') breaker.release(one.permit)
            else breaker[what](one.permit, now)
          }
          if (breaker.state !== state)
            held = held.map((each) => ({ ...each, probe: each.probe && breaker.state === 'half-open' }))
          if (breaker.state === 'half-open')
            expect(held.filter(({ probe }) => probe).length).toBeLessThanOrEqual(rule.probes)
        }
        for (const { permit } of held) breaker.release(permit)
        expect(breaker.admits(now + rule.openMs)).toBe(true)
      }),
    )
  })

  test('its table is complete: an event leads to a state, or is refused', () => {
    const states = Object.keys(breakerTable)
    for (const events of Object.values(breakerTable))
      for (const next of Object.values(events)) expect([...states, null]).toContain(next)
  })
})

test('sliding counts are those of a list that forgets', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(0 as const, 1 as const), fc.nat(4_000)), { maxLength: 200 }),
      (steps) => {
        const counts = new SlidingCounts(10)
        const all: [0 | 1, number][] = []
        let now = 0
        for (const [kind, ms] of steps) {
          now += ms
          counts.add(kind, now)
          all.push([kind, Math.floor(now / 1_000)])
          const kept = all.filter(([, second]) => second > Math.floor(now / 1_000) - 10)
          expect(counts.totals(now)).toEqual([0, 1].map((each) => kept.filter(([one]) => one === each).length))
        }
      },
    ),
  )
})

test('retries stay within their share of the requests, with a few for quiet times', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true }), (requests, share) => {
      const budget = new RetryBudget(share)
      for (let n = 0; n < requests; n++) budget.onRequest(0)
      let retries = 0
      while (retries < 1_000 && budget.take(0)) retries += 1
      expect(retries).toBe(share === 0 ? 0 : Math.max(3, Math.ceil(share * requests)))
    }),
  )
})

test('quantiles are within 5 % of the truth', () => {
  const value = fc.double({ min: 0.06, max: 100_000, noNaN: true })
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), fc.constantFrom(0.5, 0.95, 0.99), (values, q) => {
      const histogram = new LatencyHistogram()
      for (const each of values) histogram.add(each)
      const truth = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * values.length)) - 1]!
      expect(Math.abs(histogram.quantile(q)! / truth - 1)).toBeLessThan(0.051)
    }),
  )
  expect(new LatencyHistogram().quantile(0.5)).toBeNull()
})
