import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutLanes, headLimits, type RoomyLane } from './head-limits.ts'

const lane = (priority: number, room: number, servers = '1'): RoomyLane => ({ priority, room, servers })

test('a lane alone is read as far as there is room', () => {
  expect(headLimits([lane(5, 30), lane(4, 900), lane(5, 1, '01')], 500)).toEqual([30, 500, 1])
})

test('lanes that share their agents are read in part', () => {
  expect(headLimits([lane(5, 10), lane(5, 10), lane(5, 10), lane(5, 10), lane(4, 10)], 500)).toEqual([4, 4, 4, 4, 10])
  expect(headLimits([lane(5, 1), lane(5, 1)], 500)).toEqual([1, 1])
})

test('a thousand lanes of ten priorities cost a quarter more than a batch for each priority', () => {
  const lanes = Array.from({ length: 1_000 }, (_, n) => lane(1 + (n % 10), 2_000))
  const total = headLimits(lanes, 500).reduce((sum, limit) => sum + limit, 0)
  expect(total).toBeLessThanOrEqual(10 * (1.25 * 500 + 100))
})

test('a lane is read further where the others of its rank leave room that a lower one would take', () => {
  const full = { ...lane(9, 500), limit: 313, found: 313 }
  const short = { ...lane(9, 500), limit: 313, found: 1 }
  const lower = { ...lane(1, 500), limit: 500, found: 500 }
  expect(cutLanes([full, short, lower], 500)).toEqual([full])
  expect(cutLanes([full, { ...short, found: 200 }, lower], 500)).toEqual([])
  expect(
    cutLanes(
      [
        { ...full, servers: '01' },
        { ...lower, found: 100 },
      ],
      200,
    ),
  ).toEqual([])
})

const lanesWithTasks = fc.array(
  fc.record({ priority: fc.integer({ min: 1, max: 3 }), waiting: fc.nat(60), servers: fc.constantFrom('10', '01') }),
  { maxLength: 30 },
)

test('what was not read of a lane is never needed before what was read of a lower priority', () => {
  fc.assert(
    fc.property(lanesWithTasks, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 60 }), (all, most, room) => {
      const lanes = all.map((one) => ({ ...one, room }))
      const limits = headLimits(lanes, most)
      const read = lanes.map((one, n) => ({ ...one, limit: limits[n]!, found: Math.min(limits[n]!, one.waiting) }))
      const cut = new Set(cutLanes(read, most))
      for (const one of read) {
        if (one.waiting <= one.found || cut.has(one)) continue
        const before = read.filter(({ priority, servers }) => servers === one.servers && priority >= one.priority)
        const last = !read.some(({ servers, priority }) => servers === one.servers && priority < one.priority)
        const wanted = Math.min(room, most) / (last ? 2 : 1)
        expect(before.reduce((sum, { found }) => sum + found, 0)).toBeGreaterThanOrEqual(wanted)
      }
    }),
  )
})
