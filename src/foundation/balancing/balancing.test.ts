import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Candidate, hasRoom, openSession, type StrategyOptions } from './candidate.ts'
import { leastConnections } from './least-connections.ts'
import { roundRobin } from './round-robin.ts'
import { anyCandidates, candidate, free } from './strategies.fixture.ts'
import { type StrategyName, strategies, strategyNames } from './strategies.ts'

/** The same numbers each time. */
function replayable(): StrategyOptions {
  let state = 1
  let now = 0
  return {
    random: () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    },
    monotonic: () => ++now,
  }
}

test('the names are those of the API', () => {
  expect(strategyNames).toEqual([
    'round_robin',
    'least_connections',
    'resource_based',
    'weighted',
    'capability_based',
    'power_of_two_choices',
    'consistent_hash',
  ])
})

test.each([
  [0, 1, true],
  [1, 1, false],
  [2, 1, false],
  [0, 0, false],
])('with %i of %i in use there is room: %s', (used, slots, room) => {
  expect(hasRoom(candidate('a', used, slots))).toBe(room)
})

describe.each(strategyNames)('%s', (name: StrategyName) => {
  const make = () => strategies[name](replayable())
  const request = fc.record({ key: fc.string() }, { requiredKeys: [] })

  test('picks one that has room, and none only where none has', () => {
    fc.assert(
      fc.property(anyCandidates, request, (list, asked) => {
        const picked = make().pick(list, asked)
        if (picked === null) expect(list.filter(hasRoom)).toEqual([])
        else expect(list.filter(hasRoom)).toContain(picked)
      }),
    )
  })

  test('does not look at the order in which it is asked', () => {
    // Two random draws are by place in the list, which has no order of its own.
    if (name === 'power_of_two_choices') return
    fc.assert(
      fc.property(anyCandidates, request, (list, asked) => {
        expect(make().pick(list.toReversed(), asked)).toEqual(make().pick(list, asked))
      }),
    )
  })

  test('fills everybody before it gives up', () => {
    fc.assert(
      fc.property(anyCandidates, request, (list, asked) => {
        const strategy = make()
        const open = list.map((one) => ({ ...one }))
        const room = open.reduce((sum, one) => sum + one.slots - one.used, 0)
        for (let n = 0; n < room; n++) strategy.pick(open, asked)!.used += 1
        expect(strategy.pick(open, asked)).toBe(null)
      }),
    )
  })

  test('a session makes the same picks', () => {
    const busier = fc.array(fc.nat(10), { maxLength: 12 })
    fc.assert(
      fc.property(anyCandidates, busier, (list, elsewhere) => {
        const one = list.map((item) => ({ ...item }))
        const other = list.map((item) => ({ ...item }))
        const single = make()
        const session = openSession(make(), other)
        for (const at of elsewhere) {
          // What others give to a candidate meanwhile.
          for (const items of [one, other]) {
            const busy = items[at]
            if (busy !== undefined && hasRoom(busy)) busy.used += 1
          }
          const expected: { id: string; used: number } | null = single.pick(one)
          const picked: { id: string; used: number } | null = session.pick()
          expect(picked?.id).toBe(expected?.id)
          if (expected !== null) expected.used += 1
          if (picked !== null) picked.used += 1
        }
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
  test.each<[string, Candidate[], string]>([
    ['the smaller share of slots, not the smaller number', [candidate('a', 1, 2), candidate('b', 2, 8)], 'b'],
    ['the one with nothing to do', [candidate('a', 1, 100), candidate('b', 0, 1)], 'b'],
    ['the first by id among equals', [candidate('b', 1, 4), candidate('a', 2, 8)], 'a'],
    ['never one that is full', [candidate('a', 0, 0), candidate('b', 7, 8)], 'b'],
  ])('picks %s', (_, list, id) => {
    expect(leastConnections().pick(list)?.id).toBe(id)
  })

  test('no other with room has a smaller share', () => {
    fc.assert(
      fc.property(anyCandidates, (list) => {
        const picked = leastConnections().pick(list)
        if (picked === null) return
        for (const other of list.filter(hasRoom))
          expect(picked.used / picked.slots).toBeLessThanOrEqual(other.used / other.slots)
      }),
    )
  })
})
