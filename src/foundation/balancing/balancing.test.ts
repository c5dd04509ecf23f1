import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Candidate, hasRoom } from './candidate.ts'
import { leastConnections } from './least-connections.ts'
import { roundRobin } from './round-robin.ts'
import { type StrategyName, strategies, strategyNames } from './strategies.ts'

function candidate(id: string, used: number, slots: number, weight = 1): Candidate {
  return { id, used, slots, weight }
}
const free = (...ids: string[]) => ids.map((id) => candidate(id, 0, 1_000))
const candidates = fc
  .uniqueArray(fc.record({ id: fc.stringMatching(/^[a-f]{1,2}$/), used: fc.nat(4), slots: fc.nat(4) }), {
    selector: (one) => one.id,
  })
  .map((list) => list.map(({ id, used, slots }) => candidate(id, Math.min(used, slots), slots)))

test.each([
  [0, 1, true],
  [1, 1, false],
  [2, 1, false],
  [0, 0, false],
])('with %i of %i in use there is room: %s', (used, slots, room) => {
  expect(hasRoom(candidate('a', used, slots))).toBe(room)
})

describe.each(strategyNames)('%s', (name: StrategyName) => {
  test('picks one that has room, and none only where none has', () => {
    fc.assert(
      fc.property(candidates, (list) => {
        const picked = strategies[name]().pick(list)
        if (picked === null) expect(list.filter(hasRoom)).toEqual([])
        else expect(list.filter(hasRoom)).toContain(picked)
      }),
    )
  })

  test('does not look at the order in which it is asked', () => {
    fc.assert(
      fc.property(candidates, (list) => {
        expect(strategies[name]().pick(list.toReversed())).toEqual(strategies[name]().pick(list))
      }),
    )
  })

  test('fills everybody before it gives up', () => {
    fc.assert(
      fc.property(candidates, (list) => {
        const strategy = strategies[name]()
        const open = list.map((one) => ({ ...one }))
        const room = open.reduce((sum, one) => sum + one.slots - one.used, 0)
        for (let n = 0; n < room; n++) strategy.pick(open)!.used += 1
        expect(strategy.pick(open)).toBe(null)
      }),
    )
  })
})

describe('round robin', () => {
  test('visits all, in the order of ids, again and again', () => {
    const strategy = roundRobin()
    const picks = Array.from({ length: 7 }, () => strategy.pick(free('c', 'a', 'b'))!.id)
    expect(picks).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a'])
  })

  test('goes on after the last one also when others join or leave', () => {
    const strategy = roundRobin('b')
    expect(strategy.pick(free('a', 'b', 'c'))!.id).toBe('c')
    expect(strategy.pick(free('a', 'b', 'd'))!.id).toBe('d')
    expect(strategy.pick(free('b', 'c'))!.id).toBe('b')
    expect(strategy.pick([])).toBe(null)
    expect(strategy.pick(free('a', 'bb', 'c'))!.id).toBe('bb')
  })

  test('skips the full, and does not lose its turn by finding nobody', () => {
    const strategy = roundRobin('a')
    expect(strategy.pick([candidate('a', 0, 1), candidate('b', 1, 1), candidate('c', 0, 1)])!.id).toBe('c')
    expect(strategy.pick([candidate('d', 1, 1)])).toBe(null)
    expect(strategy.pick(free('a', 'c', 'd'))!.id).toBe('d')
  })

  test('gives each the same share', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-f]{1,3}$/), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 5 }),
        (ids, rounds) => {
          const strategy = roundRobin()
          const counts = new Map<string, number>()
          for (let n = 0; n < ids.length * rounds; n++) {
            const { id } = strategy.pick(free(...ids))!
            counts.set(id, (counts.get(id) ?? 0) + 1)
          }
          expect([...counts.values()]).toEqual(ids.map(() => rounds))
        },
      ),
    )
  })
})

describe('least connections', () => {
  test.each([
    ['the smaller share of slots, not the smaller number', [candidate('a', 1, 2), candidate('b', 2, 8)], 'b'],
    ['the one with nothing to do', [candidate('a', 1, 100), candidate('b', 0, 1)], 'b'],
    ['the first by id among equals', [candidate('b', 1, 4), candidate('a', 2, 8)], 'a'],
    ['never one that is full', [candidate('a', 0, 0), candidate('b', 7, 8)], 'b'],
  ])('picks %s', (_, list, id) => {
    expect(leastConnections().pick(list)?.id).toBe(id)
  })

  test('no other with room has a smaller share', () => {
    fc.assert(
      fc.property(candidates, (list) => {
        const picked = leastConnections().pick(list)
        if (picked === null) return
        for (const other of list.filter(hasRoom))
          expect(picked.used / picked.slots).toBeLessThanOrEqual(other.used / other.slots)
      }),
    )
  })
})
