import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { costAt, listedPrices, PriceTable } from './price-table.ts'

const at = (day: string) => new Date(`${day}T12:00:00Z`)
const price = { model: 'm', from: '2026-01-01', input: 3, output: 15 } as const

describe('prices of models', () => {
  test('hold from their day on', () => {
    const table = new PriceTable()
    expect(table.priceOf('gpt-4o', at('2024-06-01'))?.input).toBe(5)
    expect(table.priceOf('gpt-4o', at('2024-10-02'))?.input).toBe(2.5)
    expect(table.priceOf('gpt-4o', at('2020-01-01'))).toBe(null)
  })

  test('are found by the longest beginning of the name', () => {
    const table = new PriceTable()
    expect(table.priceOf('gpt-4o-mini-2024-07-18', at('2026-01-01'))?.model).toBe('gpt-4o-mini')
    expect(table.priceOf('claude-sonnet-4-20250514', at('2026-01-01'))?.model).toBe('claude-sonnet-4')
    expect(table.priceOf('claude-haiku-4-5@20251001', at('2026-01-01'))?.model).toBe('claude-haiku-4-5')
    expect(table.priceOf('gpt-4oh', at('2026-01-01'))).toBe(null)
    expect(table.priceOf('', at('2026-01-01'))).toBe(null)
  })

  test('of the user go before those of the list', () => {
    const table = new PriceTable([{ model: 'gpt-4o', from: '2026-01-01', input: 1, output: 2 }])
    expect(table.priceOf('gpt-4o', at('2026-02-01'))?.input).toBe(1)
    expect(table.priceOf('gpt-4o', at('2025-02-01'))?.input).toBe(2.5)
  })

  test('every listed price is in order, with days that do not overlap', () => {
    for (const prices of Map.groupBy(listedPrices, (one) => one.model).values()) {
      prices
        .toSorted((a, b) => (a.from < b.from ? -1 : 1))
        .reduce((before, next) => {
          expect(before.to === undefined || before.to <= next.from).toBe(true)
          return next
        })
    }
    expect(listedPrices.length).toBeGreaterThan(10)
  })
})

describe('cost', () => {
  test('in whole micro-dollars, rounded up', () => {
    expect(costAt(price, { inputTokens: 1_000_000, outputTokens: 1_000_000 })).toBe(18_000_000)
    expect(costAt({ ...price, input: 0.1 }, { inputTokens: 1 })).toBe(1)
    expect(costAt({ ...price, input: 0.1, output: 0.2 }, { inputTokens: 10, outputTokens: 10 })).toBe(3)
    expect(costAt(price, {})).toBe(0)
  })

  test('of a cache as told, else as input', () => {
    expect(costAt({ ...price, cacheRead: 0.3 }, { cacheReadTokens: 10, cacheWriteTokens: 10 })).toBe(33)
  })

  test('is exact: parts never cost less than the whole, nor a micro-dollar more than rounding', () => {
    const tokens = fc.nat(100_000_000)
    fc.assert(
      fc.property(tokens, tokens, fc.integer({ min: 0, max: 100_000 }), (a, b, cents) => {
        const one = { ...price, input: cents / 1_000, output: 0 }
        const whole = costAt(one, { inputTokens: a + b })
        const parts = costAt(one, { inputTokens: a }) + costAt(one, { inputTokens: b })
        expect(parts - whole).toBeGreaterThanOrEqual(0)
        expect(parts - whole).toBeLessThanOrEqual(1)
        expect(Number.isSafeInteger(whole)).toBe(true)
      }),
    )
  })
})
