import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { authorsOf, degreeOfAuthorship, truckFactor } from './authorship.ts'
import { hotSpotScores } from './hot-spots.ts'

describe('degreeOfAuthorship', () => {
  test('is the published formula', () => {
    expect(degreeOfAuthorship(true, 0, 0)).toBeCloseTo(4.391, 3)
    expect(degreeOfAuthorship(false, 10, 5)).toBeCloseTo(3.293 + 1.64 - 0.321 * Math.log(6), 6)
  })

  test('grows with own changes and falls with those of others', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.nat(1000), fc.nat(1000), (created, own, others) => {
        expect(degreeOfAuthorship(created, own + 1, others)).toBeGreaterThan(degreeOfAuthorship(created, own, others))
        expect(degreeOfAuthorship(created, own, others + 1)).toBeLessThan(degreeOfAuthorship(created, own, others))
      }),
    )
  })
})

describe('authorsOf', () => {
  test('the creator of a file that nobody else touched', () => {
    expect(authorsOf(new Map([[7, 1]]), 7)).toEqual([7])
  })

  test('who changed it far more often takes it over', () => {
    expect(
      authorsOf(
        new Map([
          [1, 1],
          [2, 40],
        ]),
        1,
      ),
    ).toEqual([2])
  })

  test('names people who changed it, the strongest first', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 50 })), { minLength: 1 }), (pairs) => {
        const changes = new Map(pairs)
        const creator = pairs[0]![0]
        const total = [...changes.values()].reduce((sum, count) => sum + count, 0)
        const degrees = authorsOf(changes, creator).map((person) =>
          degreeOfAuthorship(person === creator, changes.get(person)!, total - changes.get(person)!),
        )
        expect(degrees).toEqual([...degrees].sort((a, b) => b - a))
      }),
    )
  })
})

describe('truckFactor', () => {
  test('one author of all, two authors of half each, nobody', () => {
    expect(truckFactor([[1], [1], [1]])).toEqual({ factor: 1, people: [1] })
    expect(truckFactor([[1], [1], [2], [2]])).toEqual({ factor: 2, people: [1, 2] })
    expect(truckFactor([[], [], [1]])).toEqual({ factor: 0, people: [] })
    expect(truckFactor([])).toEqual({ factor: 0, people: [] })
  })

  test('without these people more than half of the files are orphaned, without the last of them not', () => {
    const files = fc.array(fc.uniqueArray(fc.nat(6), { maxLength: 3 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(files, (authors) => {
        const { factor, people } = truckFactor(authors)
        expect(people).toHaveLength(factor)
        const orphaned = (gone: readonly number[]) =>
          authors.filter((ids) => ids.every((id) => gone.includes(id))).length
        expect(orphaned(people) * 2).toBeGreaterThan(authors.length)
        if (factor > 0) expect(orphaned(people.slice(0, -1)) * 2).toBeLessThanOrEqual(authors.length)
      }),
    )
  })
})

test('heat is proportional, and the hottest is 100', () => {
  expect(
    hotSpotScores([
      { changes: 10, lines: 100 },
      { changes: 5, lines: 100 },
      { changes: 0, lines: 9 },
    ]),
  ).toEqual([100, 50, 0])
  expect(hotSpotScores([])).toEqual([])
})
