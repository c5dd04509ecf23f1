import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { slotsBetween } from '../../foundation/platform/calendar/cron.ts'
import { chooseMove, mostQueued } from './choose-overlap.ts'
import { dueOf, planSlots, type SlotRule } from './plan-slots.ts'

const hourly: SlotRule = {
  cron: '0 * * * *',
  timeZone: 'UTC',
  catchUp: 'skip',
  catchUpWindowMs: 86_400_000,
  jitterMs: 0,
  seed: 'default/x',
}
const at = (time: string) => new Date(`2026-05-04T${time}Z`)
const short = (slots: readonly Date[]) => slots.map((slot) => slot.toISOString().slice(11, 16))
function plan(rule: Partial<SlotRule>, last: string, now: string) {
  const result = planSlots({ ...hourly, ...rule }, at(last), at(now))
  return { start: short(result.start), missed: short(result.missed), next: result.dueAt?.toISOString().slice(11, 16) }
}

describe('slots whose time has come', () => {
  test('one that is due starts, one that is not does not', () => {
    expect(plan({}, '06:00:00', '06:59:59')).toEqual({ start: [], missed: [], next: '07:00' })
    expect(plan({}, '06:00:00', '07:00:00')).toEqual({ start: ['07:00'], missed: [], next: '08:00' })
    expect(plan({}, '06:00:00', '07:00:59')).toEqual({ start: ['07:00'], missed: [], next: '08:00' })
  })

  test('those that nobody saw pass: none, the newest, or all', () => {
    const seen = { next: '10:00' }
    expect(plan({ catchUp: 'skip' }, '06:00:00', '09:30:00')).toEqual({
      ...seen,
      start: [],
      missed: ['07:00', '08:00', '09:00'],
    })
    expect(plan({ catchUp: 'latest' }, '06:00:00', '09:30:00')).toEqual({
      ...seen,
      start: ['09:00'],
      missed: ['07:00', '08:00'],
    })
    expect(plan({ catchUp: 'all' }, '06:00:00', '09:30:00')).toEqual({
      ...seen,
      start: ['07:00', '08:00', '09:00'],
      missed: [],
    })
  })

  test('the one that is on time starts although others were missed', () => {
    expect(plan({}, '06:00:00', '09:00:10')).toMatchObject({ start: ['09:00'], missed: ['07:00', '08:00'] })
  })

  test('what is older than the window is not made up for', () => {
    expect(plan({ catchUp: 'all', catchUpWindowMs: 5_400_000 }, '00:00:00', '09:10:00').start).toEqual([
      '08:00',
      '09:00',
    ])
  })

  test('a clock that went back decides nothing twice', () => {
    expect(plan({ catchUp: 'all' }, '09:00:00', '03:00:00')).toEqual({ start: [], missed: [], next: '10:00' })
  })

  test('a year of minutes is made up for in steps, and ends', () => {
    const rule = { ...hourly, cron: '* * * * *', catchUp: 'latest' as const, catchUpWindowMs: 366 * 86_400_000 }
    const now = new Date('2026-05-04T00:00:30Z')
    let last = new Date('2026-04-29T00:00:00Z')
    let started = 0
    let rounds = 0
    for (let due: Date | null = now; due !== null && due <= now; rounds++) {
      const result = planSlots(rule, last, now)
      started += result.start.length
      last = result.lastSlotAt
      due = result.dueAt
    }
    expect(started).toBe(1)
    expect(rounds).toBe(4)
  })
})

describe('jitter', () => {
  test('is the same wherever it is asked for, within its bounds, and differs between schedules', () => {
    const jittered = { ...hourly, jitterMs: 600_000 }
    const delays = slotsBetween(hourly, at('00:00:00'), at('23:59:00'), 20).map(
      (slot) => dueOf(jittered, slot).getTime() - slot.getTime(),
    )
    for (const delay of delays) expect(delay).toBeGreaterThanOrEqual(0)
    for (const delay of delays) expect(delay).toBeLessThanOrEqual(600_000)
    expect(new Set(delays).size).toBeGreaterThan(15)
    const other = dueOf({ ...jittered, seed: 'default/y' }, at('01:00:00'))
    expect(other).not.toEqual(dueOf(jittered, at('01:00:00')))
  })
})

describe('for any rule and any sequence of looks', () => {
  const anyRule = fc.record({
    cron: fc.constantFrom('* * * * *', '*/7 * * * *', '0 * * * *', '30 2 * * *'),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin'),
    catchUp: fc.constantFrom('skip' as const, 'latest' as const, 'all' as const),
    catchUpWindowMs: fc.constantFrom(0, 600_000, 86_400_000),
    jitterMs: fc.constantFrom(0, 20_000),
    seed: fc.string(),
  })
  // Gaps between looks, ms; negative ones are clocks that go back.
  const anyGaps = fc.array(fc.integer({ min: -7_200_000, max: 10_800_000 }), { minLength: 1, maxLength: 15 })

  test('no slot is decided twice, none starts early, and all decided lie before the place', () => {
    fc.assert(
      fc.property(anyRule, anyGaps, (rule, gaps) => {
        let now = Date.parse('2026-10-24T20:00:00Z')
        let last = new Date(now)
        const decided = new Set<number>()
        for (const gap of gaps) {
          now += gap
          const result = planSlots(rule, last, new Date(now))
          for (const slot of [...result.start, ...result.missed]) {
            expect(decided.has(slot.getTime())).toBe(false)
            decided.add(slot.getTime())
            expect(slot.getTime()).toBeLessThanOrEqual(result.lastSlotAt.getTime())
          }
          for (const slot of result.start) expect(dueOf(rule, slot).getTime()).toBeLessThanOrEqual(now)
          expect(result.lastSlotAt.getTime()).toBeGreaterThanOrEqual(last.getTime())
          last = result.lastSlotAt
        }
      }),
      { numRuns: 200 },
    )
  })

  test('looks a few seconds apart start every slot once, whatever the policy', () => {
    fc.assert(
      fc.property(anyRule, fc.integer({ min: 1, max: 25 }), (rule, minutes) => {
        const begin = new Date('2026-10-24T23:50:00Z')
        const end = new Date(begin.getTime() + minutes * 60_000)
        const started: Date[] = []
        let last = begin
        for (let now = begin.getTime(); now <= end.getTime() + rule.jitterMs; now += 5_000) {
          const result = planSlots(rule, last, new Date(now))
          started.push(...result.start)
          last = result.lastSlotAt
        }
        const wanted = slotsBetween(rule, begin, end, 1_000)
        expect(started.filter((slot) => slot <= end)).toEqual(wanted)
      }),
      { numRuns: 20 },
    )
  })
})

test('overlap: skip, queue, allow, replace', () => {
  const moves = (overlap: Parameters<typeof chooseMove>[0]) =>
    [
      [0, 0],
      [1, 0],
      [1, 3],
      [0, 3],
      [1, mostQueued],
    ].map(([open, queued]) => chooseMove(overlap, open!, queued!))
  expect(moves('skip')).toEqual(['start', 'skip', 'skip', 'start', 'skip'])
  expect(moves('queue')).toEqual(['start', 'queue', 'queue', 'queue', 'skip'])
  expect(moves('allow')).toEqual(['start', 'start', 'start', 'start', 'start'])
  expect(moves('replace')).toEqual(['start', 'replace', 'replace', 'replace', 'replace'])
})
