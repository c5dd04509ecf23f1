import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideScale } from './decide-scale.ts'
import { demandOf, offeredLoad } from './demand.ts'
import type { ScalingPolicyInput } from './scaling-contract.ts'
import { resolvePolicy } from './scaling-policy.ts'
import { seasonalNaive } from './seasonal-naive.ts'
import { type PoolSignals, type Sample, throughputDropOf, utilisationOf } from './signals.ts'

const now = new Date('2026-05-04T12:00:00Z')
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1_000)
const calm: PoolSignals = {
  at: now,
  agents: 4,
  slotsPerAgent: 1,
  used: 2,
  queueDepth: 0,
  waitMs: 0,
  spanMs: 15_000,
  arrivals: 15,
  throughput: 1,
  serviceMs: 2_000,
}
const signals = (given: Partial<PoolSignals>): PoolSignals => ({ ...calm, ...given })
const sample = (seconds: number, given: Partial<Sample> = {}): Sample => ({
  ...calm,
  recommended: 4,
  ...given,
  at: ago(seconds),
})
const empty = { samples: [], lastOutAt: null, lastInAt: null }
/** Watched for long enough to take agents away. */
const watched = { samples: [sample(3_600, { arrivals: 0, used: 0, recommended: 0 })] }
const decide = (policy: ScalingPolicyInput, seen: Partial<PoolSignals>, history: Partial<typeof empty | object> = {}) =>
  decideScale(signals(seen), resolvePolicy(policy), { ...empty, ...history }, now)

describe('simple', () => {
  const policy = { strategy: 'simple' } as const
  test.each([
    [{ queueDepth: 100 }, 5, 'high queue depth: 100'],
    [{ queueDepth: 1, waitMs: 5_001 }, 5, 'high wait time'],
    [{ used: 4 }, 5, 'high utilisation: 1.00'],
    [{ used: 3 }, 4, 'within all thresholds'],
    [{ agents: 10, used: 10 }, 10, 'max is 10'],
    [{ agents: 2, used: 0 }, 2, 'not steady yet'],
  ])('%o means %i agents', (seen, to, reason) => {
    const decision = decide(policy, seen)
    expect(decision.to).toBe(to)
    expect(decision.reason).toContain(reason)
  })

  test('a fall of throughput while tasks wait adds an agent', () => {
    const history = { samples: [sample(120, { throughput: 2 })] }
    expect(decide(policy, { throughput: 1.5, queueDepth: 3 }, history).reason).toBe('throughput fell by 25 %')
    expect(decide(policy, { throughput: 1.5, queueDepth: 0 }, history).outcome).toBe('none')
  })

  test('a share is a share: a host that is used by 8 % is no reason to add', () => {
    expect(decide(policy, { agents: 10, slotsPerAgent: 10, used: 8 }).outcome).toBe('none')
  })

  test('low load that lasts takes one away, after the cool-down', () => {
    const samples = [240, 120].map((seconds) => sample(seconds, { used: 0 }))
    expect(decide(policy, { used: 0 }, { samples })).toMatchObject({ outcome: 'in', to: 3 })
    expect(decide(policy, { used: 0 }, { samples, lastOutAt: ago(299) })).toMatchObject({ outcome: 'none', to: 4 })
    expect(decide(policy, { used: 0 }, { samples, lastInAt: ago(299) }).reason).toContain('cool-down')
    expect(decide(policy, { used: 0 }, { samples, lastInAt: ago(301) }).to).toBe(3)
    const wild = [sample(240, { used: 0, queueDepth: 60 }), sample(120, { used: 0 })]
    expect(decide(policy, { used: 0 }, { samples: wild }).reason).toContain('not steady')
  })
})

describe('step', () => {
  const policy = { strategy: 'step' } as const
  test.each([
    [{ used: 4, queueDepth: 0 }, 5],
    [{ used: 4, queueDepth: 2 }, 6],
    [{ used: 4, queueDepth: 8 }, 8],
    [{ used: 3 }, 4],
    [{ used: 2 }, 3],
    [{ used: 1 }, 2],
  ])('%o goes to %i', (seen, to) => {
    expect(decide({ ...policy, stabiliseInMs: 0 }, seen).to).toBe(to)
  })

  test('takes the metric it is told', () => {
    const step = { metric: 'wait_time' as const, out: [{ at: 1_000, change: 3 }], in: [] }
    expect(decide({ ...policy, step }, { waitMs: 1_000 })).toMatchObject({
      to: 7,
      reason: 'wait_time 1000.00 is at or above 1000',
    })
  })
})

describe('target_tracking', () => {
  const policy = { strategy: 'target_tracking', max: 100 } as const
  /** Tasks longer than the time between looks. */
  const long = { serviceMs: 60_000 }
  const short = { serviceMs: 1_500 }

  test('keeps slots as busy as the target says', () => {
    expect(decide(policy, { ...long, used: 4 }).to).toBe(6)
    expect(decide(policy, { ...long, agents: 10, slotsPerAgent: 4, used: 40 }).to).toBe(15)
    expect(decide(policy, { ...long, agents: 8, used: 2 }, watched).to).toBe(3)
    expect(
      decide({ ...policy, min: 0, idleMs: 0 }, { agents: 4, used: 0, arrivals: 0, ...short }, watched),
    ).toMatchObject({
      to: 0,
      reason: 'nothing to do',
    })
  })

  test('counts short tasks as they arrive, whatever is at work at the moment of the look', () => {
    for (const used of [0, 4]) expect(decide(policy, { ...short, agents: 8, used, arrivals: 70 }).to).toBe(10)
    expect(offeredLoad(signals({ ...short, used: 4, arrivals: 70 }))).toBe(7)
    expect(offeredLoad(signals({ ...long, used: 4, queueDepth: 3, arrivals: 70 }))).toBe(7)
    expect(offeredLoad(signals({ serviceMs: null, used: 4, queueDepth: 3 }))).toBe(7)
  })

  test('within the tolerance nothing changes, unless something waits for long', () => {
    expect(decide(policy, { ...long, agents: 10, used: 7 }).reason).toContain('within the tolerance')
    expect(decide(policy, { ...long, agents: 10, used: 7, queueDepth: 2 }).to).toBe(13)
  })

  test('starts nobody for a queue that will be gone before they are there', () => {
    const busy = { ...short, agents: 10, used: 7, arrivals: 70 }
    expect(decide(policy, { ...busy, queueDepth: 30 }).to).toBe(10)
    expect(decide(policy, { ...busy, queueDepth: 300 }).to).toBeGreaterThan(15)
  })

  test('one spike is not kept for long, and a lull ends nothing', () => {
    const busy = Array.from({ length: 19 }, (_, n) => sample(15 * (19 - n), { ...short, arrivals: 70 }))
    expect(decide(policy, { ...short, agents: 10, used: 0, arrivals: 0 }, { samples: busy }).to).toBe(10)
    const spike = Array.from({ length: 19 }, (_, n) =>
      sample(15 * (19 - n), { ...short, arrivals: n === 10 ? 700 : 14 }),
    )
    expect(decide(policy, { ...short, agents: 10, used: 0, arrivals: 14 }, { samples: spike }).to).toBeLessThan(15)
    expect(
      demandOf(
        signals({ ...short, arrivals: 0 }),
        { ...empty, samples: busy },
        resolvePolicy(policy).targetTracking,
        now,
      ),
    ).toBe(7)
  })
})

describe('scheduled', () => {
  const policy = {
    strategy: 'scheduled',
    max: 30,
    scheduled: {
      entries: [
        { cron: '0 8 * * 1-5', timeZone: 'Europe/Berlin', agents: 20 },
        { cron: '0 18 * * 1-5', timeZone: 'Europe/Berlin', agents: 0 },
      ],
    },
  } as const
  test('follows the entry that came last, in its zone', () => {
    const at = (time: string) =>
      decideScale(calm, resolvePolicy(policy as unknown as ScalingPolicyInput), empty, new Date(time)).to
    expect(at('2026-05-04T05:59:00Z')).toBe(0)
    expect(at('2026-05-04T06:00:00Z')).toBe(20)
    expect(at('2026-05-04T15:59:59Z')).toBe(20)
    expect(at('2026-05-04T16:00:00Z')).toBe(0)
    expect(at('2026-05-10T12:00:00Z')).toBe(0)
  })
})

describe('predictive', () => {
  const policy = { strategy: 'predictive', max: 50 } as const
  const long = { serviceMs: 60_000 }
  const demand = [-90, -60, -30, 0, 30, 60, 90, 120].map((s) => ({
    at: new Date(now.getTime() - 86_400_000 + s * 1_000),
    value: 21,
  }))
  const run = (series: typeof demand, seen: Partial<PoolSignals>) =>
    decideScale(signals(seen), resolvePolicy(policy), empty, now, { demand: series })

  test('is there before the load is', () => {
    expect(run(demand, { ...long, used: 2 })).toMatchObject({
      to: 30,
      reason: expect.stringContaining('seasonal-naive, 24h 0m: 21.0'),
    })
  })

  test('never has fewer than the load of now wants, and says when it knows nothing', () => {
    expect(run(demand, { ...long, used: 28, agents: 28 }).to).toBe(40)
    expect(run([], { ...long, used: 4 })).toMatchObject({ to: 6, reason: expect.stringContaining('no forecast yet') })
    expect(seasonalNaive.forecast([{ at: now, value: 1 }], now, 86_400_000)).toBeNull()
  })
})

describe('limits', () => {
  test('from zero, work brings an agent at once, whatever the cool-down', () => {
    const policy = { strategy: 'target_tracking', min: 0, cooldownOutMs: 600_000, stabiliseOutMs: 600_000 } as const
    const history = { samples: [sample(15, { agents: 0, recommended: 0 })], lastOutAt: ago(30), lastInAt: ago(20) }
    expect(decide(policy, { agents: 0, used: 0, queueDepth: 1 }, history).to).toBeGreaterThan(0)
    expect(decide({ ...policy, strategy: 'simple' }, { agents: 0, used: 0, queueDepth: 1 }, history).to).toBe(1)
  })

  test('nothing is taken away before the load was watched for a while', () => {
    const decision = decide({ strategy: 'target_tracking' }, { used: 0, arrivals: 0 }, { samples: [sample(60)] })
    expect(decision).toMatchObject({ outcome: 'none', reason: 'watched for 1m 0s of 5m 0s: not fewer than 4 yet' })
    const first = { samples: [sample(60, { agents: 2, used: 0, arrivals: 0 })] }
    expect(decide({ strategy: 'target_tracking' }, { used: 0, arrivals: 0 }, first)).toMatchObject({
      ...{ outcome: 'in', from: 4, to: 2 },
      reason: expect.stringMatching(/^nothing to do; watched for 1m 0s of 5m 0s: not fewer than 2 yet$/),
    })
  })

  test('to zero only after a while with nothing to do', () => {
    const targetTracking = { windowMs: 30_000 }
    const policy = { strategy: 'target_tracking', min: 0, idleMs: 60_000, targetTracking } as const
    const idle = { agents: 1, used: 0, arrivals: 0 }
    const none = { arrivals: 0, throughput: 0 }
    const quiet = [90, 61, 45, 30, 15].map((seconds) => sample(seconds, { ...idle, ...none, recommended: 0 }))
    expect(decide(policy, idle, { samples: quiet }).to).toBe(0)
    expect(decide(policy, idle, { samples: quiet.slice(3) }).reason).toContain('until it was idle for 1m 0s')
    const busy = [...quiet.slice(0, 3), sample(30, { agents: 1, used: 1, arrivals: 1, recommended: 1 }), quiet[4]!]
    expect(decide(policy, idle, { samples: busy }).to).toBe(1)
  })

  test('what was wanted lately stays for the stabilisation window', () => {
    const policy = { strategy: 'step', max: 50, cooldownInMs: 0 } as const
    const samples = [
      sample(900),
      sample(130, { recommended: 40 }),
      sample(60, { recommended: 8 }),
      sample(15, { recommended: 6 }),
    ]
    expect(decide(policy, { agents: 12, used: 0 }, { samples }).to).toBe(8)
    expect(decide(policy, { agents: 8, used: 0 }, { samples })).toMatchObject({
      to: 8,
      reason: 'up to 8 were wanted within 2m 0s, so not fewer than that',
    })
  })

  test('bounds that contradict each other are refused', () => {
    expect(() => resolvePolicy({ strategy: 'simple', min: 5, max: 2 })).toThrow('min 5 is above max 2')
    expect(() => resolvePolicy({ strategy: 'scheduled' })).toThrow('scheduled.entries')
    expect(() => resolvePolicy({ strategy: 'simple', simple: { scaleUpThreshold: 0.2 } })).toThrow('below')
    expect(resolvePolicy({ strategy: 'simple' })).toMatchObject({
      min: 2,
      max: 10,
      everyMs: 120_000,
      cooldownOutMs: 300_000,
    })
    const entries = [{ cron: '0 8 * * *', agents: 40 }]
    expect(resolvePolicy({ strategy: 'scheduled', scheduled: { entries } }).max).toBe(40)
    expect(resolvePolicy({ strategy: 'simple', max: 1 })).toMatchObject({ min: 1, max: 1 })
  })
})

const anySignals = fc
  .record({
    agents: fc.integer({ min: 0, max: 60 }),
    slotsPerAgent: fc.integer({ min: 1, max: 8 }),
    busy: fc.double({ min: 0, max: 1, noNaN: true }),
    queueDepth: fc.integer({ min: 0, max: 5_000 }),
    waitMs: fc.integer({ min: 0, max: 600_000 }),
    arrivals: fc.integer({ min: 0, max: 5_000 }),
    throughput: fc.double({ min: 0, max: 1_000, noNaN: true }),
    serviceMs: fc.option(fc.integer({ min: 1, max: 3_600_000 })),
  })
  .map(({ busy, ...rest }): PoolSignals => {
    return { ...rest, at: now, spanMs: 15_000, used: Math.floor(busy * rest.agents * rest.slotsPerAgent) }
  })
const anySamples = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 1_000 }), anySignals, fc.integer({ min: 0, max: 80 }))
    .map(([seconds, seen, recommended]): Sample => ({ ...seen, at: ago(seconds), recommended })),
  { maxLength: 12 },
)
const anyHistory = fc.record({
  samples: anySamples.map((samples) => samples.sort((a, b) => a.at.getTime() - b.at.getTime())),
  lastOutAt: fc.option(fc.integer({ min: 0, max: 900 }).map(ago)),
  lastInAt: fc.option(fc.integer({ min: 0, max: 900 }).map(ago)),
})
const anyPolicy = fc
  .record({
    strategy: fc.constantFrom('simple', 'step', 'target_tracking', 'scheduled', 'predictive'),
    min: fc.integer({ min: 0, max: 20 }),
    room: fc.integer({ min: 0, max: 60 }),
    cooldownOutMs: fc.constantFrom(0, 60_000, 300_000),
    cooldownInMs: fc.constantFrom(0, 60_000, 300_000),
    stabiliseOutMs: fc.constantFrom(0, 60_000),
    stabiliseInMs: fc.constantFrom(0, 300_000),
    maxStepOut: fc.integer({ min: 1, max: 40 }),
    maxStepIn: fc.integer({ min: 1, max: 40 }),
    idleMs: fc.constantFrom(0, 60_000, 600_000),
    scheduled: fc.constant({ entries: [{ cron: '0 8 * * *', agents: 12 }] }),
  })
  .map(({ room, ...rest }) => resolvePolicy({ ...rest, max: rest.min + room } as unknown as ScalingPolicyInput))

function holds(
  check: (...args: [PoolSignals, ReturnType<typeof resolvePolicy>, Parameters<typeof decideScale>[2]]) => void,
) {
  fc.assert(fc.property(anySignals, anyPolicy, anyHistory, check), { numRuns: 500 })
}

describe('for any signals, policy and history', () => {
  test('the size stays within the bounds, and the outcome says what happens', () => {
    holds((seen, policy, history) => {
      const { from, to, outcome, steps, reason } = decideScale(seen, policy, history, now)
      expect(Number.isInteger(to)).toBe(true)
      expect(to).toBeGreaterThanOrEqual(policy.min)
      expect(to).toBeLessThanOrEqual(policy.max)
      expect(from).toBe(seen.agents)
      expect(outcome).toBe(to > from ? 'out' : to < from ? 'in' : 'none')
      expect(reason).not.toBe('')
      expect(steps.length).toBeGreaterThanOrEqual(2)
    })
  })

  test('no step is larger than allowed, but to reach the bounds', () => {
    holds((seen, policy, history) => {
      const { from, to } = decideScale(seen, policy, history, now)
      if (from < policy.min || from > policy.max) return
      expect(to - from).toBeLessThanOrEqual(policy.maxStepOut)
      expect(from - to).toBeLessThanOrEqual(policy.maxStepIn)
    })
  })

  test('a cool-down lets nothing through but the way up from zero and to the bounds', () => {
    holds((seen, policy, history) => {
      const { from, to, outcome } = decideScale(seen, policy, history, now)
      if (outcome === 'none' || from === 0 || from < policy.min || from > policy.max) return
      const since = (at: Date | null) => (at === null ? Number.POSITIVE_INFINITY : now.getTime() - at.getTime())
      const pause =
        outcome === 'out' ? since(history.lastOutAt) : Math.min(since(history.lastOutAt), since(history.lastInAt))
      expect(pause, `${from} to ${to}`).toBeGreaterThanOrEqual(
        outcome === 'out' ? policy.cooldownOutMs : policy.cooldownInMs,
      )
    })
  })

  test('agents that were wanted within the window are not taken away', () => {
    holds((seen, policy, history) => {
      const { from, to, outcome } = decideScale(seen, policy, history, now)
      if (outcome !== 'in' || from > policy.max) return
      const wanted = history.samples
        .filter((s) => s.at.getTime() > now.getTime() - policy.stabiliseInMs)
        .map((s) => Math.min(s.recommended, from, policy.max))
      expect(to).toBeGreaterThanOrEqual(Math.max(0, ...wanted))
    })
  })

  test('more work never means fewer agents under target tracking', () => {
    fc.assert(
      fc.property(anySignals, anyHistory, fc.integer({ min: 1, max: 500 }), (seen, history, more) => {
        const policy = resolvePolicy({ strategy: 'target_tracking', min: 0, max: 10_000 })
        const before = decideScale(seen, policy, history, now).to
        const after = decideScale({ ...seen, queueDepth: seen.queueDepth + more }, policy, history, now).to
        expect(after).toBeGreaterThanOrEqual(before)
      }),
      { numRuns: 500 },
    )
  })

  test('the same question has the same answer, and shares are shares', () => {
    holds((seen, policy, history) => {
      expect(decideScale(seen, policy, history, now)).toEqual(decideScale(seen, policy, history, now))
      for (const share of [utilisationOf(seen), throughputDropOf(seen, history.samples.at(-1))]) {
        expect(share).toBeGreaterThanOrEqual(0)
        expect(share).toBeLessThanOrEqual(1)
      }
    })
  })
})
