import { expect, test } from 'vitest'
import { ratesOf } from './rates.ts'

const now = new Date('2026-01-01T12:00:00Z')
const types = [
  { type: 'task.succeeded', counts: [30, 240] },
  { type: 'task.failed', counts: [0, 60] },
]

test('counts become rates over their own minutes', () => {
  expect(ratesOf({ types, coveredSince: null }, now)).toEqual({ throughput1m: 0.5, throughput5m: 1, failures5m: 0.2 })
})

test('what was cancelled has ended, and has not failed', () => {
  const more = [...types, { type: 'task.cancelled', counts: [0, 300] }]
  expect(ratesOf({ types: more, coveredSince: null }, now)).toMatchObject({ throughput5m: 2, failures5m: 0.2 })
  const alone = [{ type: 'task.cancelled', counts: [1, 1] }]
  expect(ratesOf({ types: alone, coveredSince: null }, now).failures5m).toBe(null)
})

test('where only the newest events were counted, over the time they cover', () => {
  const coveredSince = new Date(now.getTime() - 20_000)
  expect(ratesOf({ types, coveredSince }, now)).toEqual({ throughput1m: 1.5, throughput5m: 15, failures5m: 0.2 })
})

test('no ending, no share of failures', () => {
  expect(ratesOf({ types: [], coveredSince: null }, now)).toEqual({
    throughput1m: 0,
    throughput5m: 0,
    failures5m: null,
  })
})
