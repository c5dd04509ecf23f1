import { describe, expect, test } from 'vitest'
import { type Scaler, scaleFleet } from '../bench/simulator/scale-fleet.ts'
import { horizontalPodAutoscaler, policyScaler } from '../bench/simulator/scalers.ts'
import type { PoolSignals } from '../src/orchestration/scaling/signals.ts'

const settings = { startupMs: 20_000, objectiveMs: 5_000 }
const job = (arrivesAt: number, work = 1_000) => ({ arrivesAt, work, key: '' })
const fixed = (agents: number): Scaler => ({ everyMs: 15_000, initial: agents, decide: () => agents })

describe('the simulated pool', () => {
  test('works jobs off in order, and counts who waits too long', () => {
    const jobs = Array.from({ length: 10 }, () => job(0, 2_000))
    expect(scaleFleet(jobs, fixed(10), settings)).toMatchObject({ misses: 0, meanWaitMs: 0, changes: 0 })
    // One agent: the jobs begin after 0, 2, 4, 6 ... seconds; seven of them later than five.
    expect(scaleFleet(jobs, fixed(1), settings)).toMatchObject({ misses: 0.7, meanWaitMs: 9_000 })
  })

  test('agents count from their order on, and work when they have started', () => {
    const jobs = [...Array.from({ length: 4 }, () => job(0, 40_000)), job(100_000)]
    let looks = 0
    const grows: Scaler = { everyMs: 10_000, initial: 1, decide: ({ agents }) => (looks++ === 0 ? 4 : agents) }
    const { misses, agentSeconds, meanWaitMs } = scaleFleet(jobs, grows, settings)
    // Three begin at 30 s: ordered at 10 s, ready 20 s later.
    expect(misses).toBe(3 / 5)
    expect(meanWaitMs).toBe((3 * 30_000) / 5)
    expect(agentSeconds).toBe(10 + 4 * 90)
  })

  test('one that is taken away finishes what it has', () => {
    const jobs = [job(0, 25_000), job(0, 25_000), job(60_000)]
    let looks = 0
    const shrinks: Scaler = { everyMs: 10_000, initial: 2, decide: () => (looks++ === 0 ? 1 : 1) }
    const { misses, agentSeconds } = scaleFleet(jobs, shrinks, settings)
    expect(misses).toBe(0)
    expect(agentSeconds).toBe(2 * 25 + 35)
  })
})

describe("the HorizontalPodAutoscaler's algorithm", () => {
  const hpa = () => horizontalPodAutoscaler({ target: 0.5, tolerance: 0.1, min: 1, max: 100, downWindowMs: 300_000 }, 1)
  const at = (agents: number) => ({ agents }) as PoolSignals
  test('doubles at twice the target, halves at half of it, and leaves small differences alone', () => {
    expect(hpa().decide(at(4), { ready: 4, meanUsed: 4 }, 0)).toBe(8)
    expect(hpa().decide(at(4), { ready: 4, meanUsed: 1 }, 0)).toBe(2)
    expect(hpa().decide(at(4), { ready: 4, meanUsed: 2.15 }, 0)).toBe(4)
  })

  test('goes down by the highest recommendation of the window', () => {
    const scaler = hpa()
    expect(scaler.decide(at(8), { ready: 8, meanUsed: 4 }, 0)).toBe(8)
    expect(scaler.decide(at(8), { ready: 8, meanUsed: 1 }, 15_000)).toBe(8)
    expect(scaler.decide(at(8), { ready: 8, meanUsed: 2 }, 299_000)).toBe(8)
    expect(scaler.decide(at(8), { ready: 8, meanUsed: 1 }, 301_000)).toBe(4)
  })

  test('takes those that are not ready for idle when it goes up', () => {
    expect(hpa().decide(at(8), { ready: 4, meanUsed: 4 }, 0)).toBe(8)
    expect(hpa().decide(at(6), { ready: 4, meanUsed: 4 }, 0)).toBe(8)
  })
})

test('the policy of the product remembers what it saw', () => {
  const scaler = policyScaler({ strategy: 'target_tracking', max: 20 }, 1)
  const seen = { ready: 1, meanUsed: 1 }
  const signals = {
    ...{ at: new Date(0), agents: 1, slotsPerAgent: 1, used: 1, queueDepth: 6, waitMs: 1, spanMs: 15_000 },
    ...{ arrivals: 7, throughput: 0, serviceMs: 60_000 },
  }
  expect(scaler.decide(signals, seen, 0)).toBe(10)
  const idle = { ...signals, agents: 10, used: 0, queueDepth: 0, arrivals: 0 }
  expect(scaler.decide(idle, seen, 15_000)).toBeGreaterThan(1)
})
