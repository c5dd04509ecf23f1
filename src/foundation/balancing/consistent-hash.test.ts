import fc from 'fast-check'
import { expect, test } from 'vitest'
import { consistentHash } from './consistent-hash.ts'
import { candidate, free } from './strategies.fixture.ts'

const ids = fc.uniqueArray(fc.stringMatching(/^[a-f]{1,3}$/), { minLength: 2, maxLength: 12 })
const keys = Array.from({ length: 200 }, (_, n) => `conversation-${n}`)

test('the same key goes to the same one', () => {
  fc.assert(
    fc.property(ids, fc.string(), (list, key) => {
      const first = consistentHash().pick(free(...list), { key })!.id
      expect(consistentHash().pick(free(...list.toReversed()), { key })!.id).toBe(first)
    }),
  )
})

test('when one leaves only its own keys move, and when one joins it takes only what becomes its own', () => {
  fc.assert(
    fc.property(ids, (list) => {
      const strategy = consistentHash()
      const gone = list[0]!
      for (const key of keys) {
        const before = strategy.pick(free(...list), { key })!.id
        const after = strategy.pick(free(...list.slice(1)), { key })!.id
        if (before === gone) expect(after).not.toBe(gone)
        else expect(after).toBe(before)
      }
    }),
  )
})

test('keys are spread by weight', () => {
  const strategy = consistentHash()
  const list = [candidate('a', 0, 9, 1), candidate('b', 0, 9, 1), candidate('c', 0, 9, 2)]
  const counts = { a: 0, b: 0, c: 0 }
  for (let n = 0; n < 20_000; n++) counts[strategy.pick(list, { key: `k${n}` })!.id as 'a' | 'b' | 'c'] += 1
  expect(counts.a / 20_000).toBeCloseTo(0.25, 1)
  expect(counts.c / 20_000).toBeCloseTo(0.5, 1)
})

test('nobody gets much more than a fair share, even where all work has one key', () => {
  fc.assert(
    fc.property(ids, fc.integer({ min: 1, max: 60 }), (list, work) => {
      const strategy = consistentHash({ boundedLoad: 1.25 })
      const candidates = list.map((id) => ({ ...candidate(id, 0, 1_000) }))
      for (let n = 1; n <= work; n++) {
        const picked = strategy.pick(candidates, { key: 'hot' })!
        picked.used += 1
        expect(picked.used).toBeLessThanOrEqual(Math.ceil((1.25 * n) / list.length))
      }
    }),
  )
})

test('work without a key goes to the least busy', () => {
  expect(consistentHash().pick([candidate('a', 3, 9), candidate('b', 1, 9)])!.id).toBe('b')
})
