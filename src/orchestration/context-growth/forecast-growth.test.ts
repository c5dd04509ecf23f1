import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkpointShare, warnShare } from './context-growth-contract.ts'
import { forecastGrowth, percentile } from './forecast-growth.ts'

const limit = fc.integer({ min: 1_000, max: 2_000_000 })
const samples = fc.array(fc.nat({ max: 2_000_000 }), { maxLength: 100 })
const levels = ['ok', 'warn', 'checkpoint'] as const

describe('the forecast of context growth', () => {
  test.each([
    [[], 'ok', null, null],
    [[10_000], 'ok', null, null],
    [[10_000, 20_000, 30_000], 'ok', 10_000, 6],
    [[10_000, 50_000], 'warn', 40_000, 1],
    [[84_000, 84_500], 'warn', 500, 1],
    [[10_000, 85_000], 'checkpoint', 75_000, 0],
    // Not yet at .85, but the next turn may be too much.
    [[10_000, 55_000], 'checkpoint', 45_000, 1],
    // Of 1, 1, 1 and 30 thousand the third counts; a summary is no growth.
    [[1_000, 2_000, 3_000, 4_000, 34_000, 5_000], 'ok', 1_000, 80],
    [[60_000, 60_000], 'warn', 0, null],
  ] as const)('%j of 100,000 tokens is %s', (used, level, growth, turnsLeft) => {
    expect(forecastGrowth(used, 100_000)).toMatchObject({ level, growth, turnsLeft })
  })

  test('what former attempts let expect stands in for turns that are missing, and for none that was', () => {
    expect(forecastGrowth([10_000], 100_000, 25_000)).toMatchObject({ growth: 25_000, turnsLeft: 3, level: 'ok' })
    expect(forecastGrowth([80_000], 100_000, 25_000)).toMatchObject({ level: 'checkpoint' })
    fc.assert(
      fc.property(samples, limit, fc.nat({ max: 2_000_000 }), (used, most, expected) => {
        const own = used.slice(1).filter((sample, n) => sample >= used[n]!).length
        const { growth } = forecastGrowth(used, most, expected)
        if (own >= 4) expect(growth).toBe(forecastGrowth(used, most).growth)
        else expect(growth).not.toBeNull()
      }),
    )
  })

  test('warns from half on, and is due at .85 whatever else', () => {
    fc.assert(
      fc.property(samples, limit, (used, most) => {
        const { share, level } = forecastGrowth(used, most)
        if (share >= checkpointShare) expect(level).toBe('checkpoint')
        else if (share >= warnShare) expect(level).not.toBe('ok')
        if (level === 'ok') expect(share).toBeLessThan(warnShare)
      }),
    )
  })

  test('is due before a turn as large as three of four so far would reach the limit', () => {
    fc.assert(
      fc.property(samples, limit, (used, most) => {
        const { used: now, growth, level } = forecastGrowth(used, most)
        if (growth !== null && now > 0 && now + growth >= most) expect(level).toBe('checkpoint')
      }),
    )
  })

  test('turnsLeft turns of that growth reach the checkpoint, and one less does not', () => {
    fc.assert(
      fc.property(samples, limit, (used, most) => {
        const { used: now, growth, turnsLeft } = forecastGrowth(used, most)
        const checkpoint = checkpointShare * most
        if (turnsLeft === null) expect(growth === null || growth === 0).toBe(true)
        else if (turnsLeft === 0) expect(now).toBeGreaterThanOrEqual(checkpoint)
        else {
          expect(now + turnsLeft * growth!).toBeGreaterThanOrEqual(checkpoint - 1e-6)
          expect(now + (turnsLeft - 1) * growth!).toBeLessThan(checkpoint)
        }
      }),
    )
  })

  test('more in use never lowers the level', () => {
    fc.assert(
      fc.property(samples, fc.nat({ max: 2_000_000 }), fc.nat({ max: 100_000 }), limit, (before, last, more, most) => {
        const rank = (used: number) => levels.indexOf(forecastGrowth([...before, used], most).level)
        // The percentile itself may only grow with the last step, where that is no summary.
        if (last < (before.at(-1) ?? 0)) return
        expect(rank(last + more)).toBeGreaterThanOrEqual(rank(last))
      }),
    )
  })

  test('the percentile is one of the values, three quarters of which are no larger and a quarter no smaller', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 50 }), (values) => {
        const value = percentile(values, 0.75)!
        expect(values).toContain(value)
        expect(values.filter((each) => each <= value).length).toBeGreaterThanOrEqual(values.length * 0.75)
        expect(values.filter((each) => each >= value).length).toBeGreaterThanOrEqual(values.length * 0.25)
      }),
    )
    expect(percentile([], 0.75)).toBe(null)
  })
})
