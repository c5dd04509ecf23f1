import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { killGraceMs, leastTimeoutMs } from '../budgets/budget-rules-contract.ts'
import { fitToBudgets, type HeldBudget } from './fit-to-budgets.ts'

function budget(unit: string, left: number | null, hold: number): HeldBudget {
  return { id: unit, unit, scope: 'run', limit: left, left, hold }
}

describe('whether a waiting task fits what is left of its budgets', () => {
  test('it does where every budget has its hold, or no limit', () => {
    expect(fitToBudgets(10_000, [])).toEqual({ kind: 'fits' })
    expect(
      fitToBudgets(10_000, [budget('wall-ms', 15_000, 15_000), budget('runs', 1, 1), budget('tokens', null, 0)]),
    ).toEqual({ kind: 'fits' })
  })

  test('of a budget that begins anew it waits for the next window, if that is large enough', () => {
    const day = { ...budget('runs', 0, 1), id: 'tenant:default:runs:day', limit: 5 }
    expect(fitToBudgets(10_000, [day])).toEqual({ kind: 'waits' })
    expect(fitToBudgets(10_000, [{ ...day, id: 'tenant:default:micro-usd:5h' }])).toEqual({ kind: 'waits' })
    expect(fitToBudgets(10_000, [{ ...day, limit: 0 }]).kind).toBe('exhausted')
    expect(fitToBudgets(10_000, [{ ...day, id: 'run:r1:runs:of:tenant:default:runs:run' }]).kind).toBe('exhausted')
  })

  test('with less time it gets what is left, and holds in proportion', () => {
    expect(
      fitToBudgets(10_000, [budget('runs', 4, 1), budget('wall-ms', 12_000, 15_000), budget('cpu-ms', 90_000, 30_000)]),
    ).toEqual({
      kind: 'shorten',
      timeoutMs: 7_000,
      holds: [1, 12_000, 24_000],
    })
    expect(fitToBudgets(10_000, [budget('cpu-ms', 24_000, 30_000)])).toEqual({
      kind: 'shorten',
      timeoutMs: 7_000,
      holds: [24_000],
    })
  })

  test('the scarcest of several decides', () => {
    const fit = fitToBudgets(10_000, [budget('wall-ms', 12_000, 15_000), budget('cpu-ms', 9_000, 15_000)])
    expect(fit).toEqual({ kind: 'shorten', timeoutMs: 4_000, holds: [9_000, 9_000] })
  })

  test('less than the shortest attempt is nothing', () => {
    const least = leastTimeoutMs + killGraceMs
    expect(fitToBudgets(10_000, [budget('wall-ms', least, 15_000)])).toEqual({
      kind: 'shorten',
      timeoutMs: leastTimeoutMs,
      holds: [least],
    })
    expect(fitToBudgets(10_000, [budget('wall-ms', least - 1, 15_000)])).toMatchObject({
      kind: 'exhausted',
      needed: least,
    })
    expect(fitToBudgets(10_000, [budget('cpu-ms', 2 * least - 1, 30_000)])).toMatchObject({
      kind: 'exhausted',
      needed: 2 * least,
    })
  })

  test.each([
    ['runs', 0, 1, 1],
    ['tokens', 0, 0, 1],
    ['micro-usd', -5, 0, 1],
    ['micro-usd', 9, 10, 10],
  ])('of %s with %i left, of which it holds %i, it needs %i', (unit, left, hold, needed) => {
    const fit = fitToBudgets(10_000, [budget('wall-ms', 1e9, 15_000), budget(unit, left, hold)])
    expect(fit).toMatchObject({ kind: 'exhausted', needed, budget: { unit } })
  })

  test('a shortened task fits, with a real timeout and no more than was left', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: leastTimeoutMs, max: 86_400_000 }),
        fc.array(
          fc.record({ cores: fc.integer({ min: 1, max: 64 }), left: fc.integer({ min: 0, max: 200_000_000 }) }),
          { maxLength: 4 },
        ),
        (timeoutMs, list) => {
          const budgets = list.map(({ cores, left }, n) => ({
            ...budget(cores === 1 ? 'wall-ms' : 'cpu-ms', left, (timeoutMs + killGraceMs) * cores),
            id: `b${n}`,
          }))
          const fit = fitToBudgets(timeoutMs, budgets)
          if (fit.kind === 'exhausted') return void expect(fit.budget.left).toBeLessThan(fit.needed)
          if (fit.kind === 'fits') return void expect(budgets.every((one) => one.left! >= one.hold)).toBe(true)
          if (fit.kind === 'waits') throw new Error('none of these budgets begins anew')
          expect(fit.timeoutMs).toBeGreaterThanOrEqual(leastTimeoutMs)
          expect(fit.timeoutMs).toBeLessThan(timeoutMs)
          budgets.forEach((one, n) => {
            expect(fit.holds[n]).toBeLessThanOrEqual(one.left!)
            // What can be used at most: the shorter time and the grace, on all cores; to the millisecond.
            expect(fit.holds[n]! + 1).toBeGreaterThan((fit.timeoutMs + killGraceMs) * list[n]!.cores - 1)
          })
          const again = fitToBudgets(
            fit.timeoutMs,
            budgets.map((one, n) => ({ ...one, hold: fit.holds[n]! })),
          )
          expect(again).toEqual({ kind: 'fits' })
        },
      ),
    )
  })
})
