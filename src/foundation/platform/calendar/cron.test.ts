import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lastSlot, nextSlot, parseCronRule, slotsBetween } from './cron.ts'

const from = (text: string) => new Date(text)
const slots = (cron: string, timeZone: string, after: string, most: number) =>
  slotsBetween({ cron, timeZone }, from(after), from('2100-01-01T00:00:00Z'), most).map((slot) => slot.toISOString())

describe('cron expressions', () => {
  test('five fields and nicknames, in the zone of the schedule', () => {
    expect(slots('30 6 * * 1-5', 'Europe/Berlin', '2026-11-20T12:00:00Z', 2)).toEqual([
      '2026-11-23T05:30:00.000Z',
      '2026-11-24T05:30:00.000Z',
    ])
    expect(slots('@daily', 'Asia/Kolkata', '2026-11-20T12:00:00Z', 1)).toEqual(['2026-11-20T18:30:00.000Z'])
  })

  test.each([
    ['* * * *', 'UTC'],
    ['61 * * * *', 'UTC'],
    ['*/10 * * * * *', 'UTC'],
    ['0 0 30 2 *', 'UTC'],
    ['@fortnightly', 'UTC'],
    ['', 'UTC'],
    ['0 0 * * *', 'Mars/Olympus'],
  ])('%j in %s is refused', (cron, timeZone) => {
    expect(() => parseCronRule({ cron, timeZone }, from('2026-01-01T00:00:00Z'))).toThrow(
      expect.objectContaining({ code: 'cron-invalid' }),
    )
  })
})

describe('when clocks change', () => {
  test('a time that is left out comes at the end of the gap, once', () => {
    // Berlin, 2026-03-29: 02:00 becomes 03:00.
    expect(slots('30 2 * * *', 'Europe/Berlin', '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
  })

  test('a time of day that comes twice is a slot once', () => {
    // Berlin, 2026-10-25: 03:00 becomes 02:00. New York, 2026-11-01: 02:00 becomes 01:00.
    expect(slots('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
    expect(slots('30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T05:30:00.000Z',
      '2026-11-02T06:30:00.000Z',
    ])
  })

  test('every hour is every hour', () => {
    for (const day of ['2026-03-28T20:00:00Z', '2026-10-24T20:00:00Z']) {
      const hours = slots('0 * * * *', 'Europe/Berlin', day, 12).map((slot) => Date.parse(slot))
      expect(hours.map((hour, n) => hour - hours[0]! - n * 3_600_000)).toEqual(Array(12).fill(0))
    }
  })

  test('half an hour of change is no special case', () => {
    expect(slots('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T20:30:00Z', 3)).toEqual([
      '2026-10-03T15:30:00.000Z',
      '2026-10-04T15:15:00.000Z',
      '2026-10-05T15:15:00.000Z',
    ])
  })
})

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/Sao_Paulo']
const field = (low: number, high: number) =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min: low, max: high }).map(String),
    fc.integer({ min: 2, max: Math.min(20, high) }).map((step) => `*/${step}`),
  )
const anyRule = fc.record({
  cron: fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map((parts) => parts.join(' ')),
  timeZone: fc.constantFrom(...zones),
})
const anyTime = fc.date({ min: from('2024-01-01T00:00:00Z'), max: from('2031-01-01T00:00:00Z'), noInvalidDate: true })

describe('for any expression, zone and time', () => {
  test('slots are whole minutes that only grow', () => {
    fc.assert(
      fc.property(anyRule, anyTime, (rule, after) => {
        let last = after
        for (const slot of slotsBetween(rule, after, from('2100-01-01T00:00:00Z'), 5)) {
          expect(slot.getTime()).toBeGreaterThan(last.getTime())
          expect(slot.getTime() % 60_000).toBe(0)
          last = slot
        }
      }),
      { numRuns: 200 },
    )
  })

  test('the last slot before the next one is the one before it, and a slot is its own last', () => {
    fc.assert(
      fc.property(anyRule, anyTime, (rule, after) => {
        const [first, second] = slotsBetween(rule, after, from('2100-01-01T00:00:00Z'), 2)
        if (first === undefined || second === undefined) return
        expect(lastSlot(rule, first)).toEqual(first)
        expect(lastSlot(rule, new Date(second.getTime() - 1_000))).toEqual(first)
      }),
      { numRuns: 200 },
    )
  })

  test('no slot lies between a time and the slot that follows it', () => {
    fc.assert(
      fc.property(anyRule, anyTime, fc.double({ min: 0, max: 1, noNaN: true }), (rule, after, share) => {
        const next = nextSlot(rule, after)
        if (next === null) return
        const between = new Date(after.getTime() + Math.floor((next.getTime() - 1 - after.getTime()) * share))
        expect(nextSlot(rule, between)).toEqual(next)
      }),
      { numRuns: 200 },
    )
  })
})
