import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from './clock.ts'
import { asId, createIds, type RunId, systemIds } from './ids.ts'
import { seededRandom } from './random.ts'

const fixed = { next: () => 0.5, bytes: (count: number) => new Uint8Array(count).fill(0xff) }

test('an id is its prefix, ten characters of time and sixteen of randomness', () => {
  const ids = createIds(new ManualClock(new Date(0)), { ...fixed, bytes: (count) => new Uint8Array(count) })
  expect(ids.next('run')).toBe(`run_${'0'.repeat(26)}`)
  expect(createIds(new ManualClock(new Date(33)), fixed).next('run')).toBe(`run_0000000011${'z'.repeat(16)}`)
})

test('the alphabet leaves out letters that are taken for digits', () => {
  for (let n = 0; n < 200; n++) expect(systemIds.next('t')).toMatch(/^t_[0-9abcdefghjkmnpqrstvwxyz]{26}$/)
})

test('ids of later milliseconds sort later, whatever their random part', () => {
  const instants = fc.tuple(fc.integer({ min: 0, max: 2 ** 47 }), fc.integer({ min: 1, max: 2 ** 40 }))
  fc.assert(
    fc.property(instants, fc.integer(), ([start, later], seed) => {
      const clock = new ManualClock(new Date(start))
      const ids = createIds(clock, seededRandom(seed))
      const first = ids.next<string>('run')
      clock.advance(later)
      expect(ids.next<string>('run') > first).toBe(true)
    }),
  )
})

test('different random bytes give different ids', () => {
  const bytes = fc.uint8Array({ minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const id = (random: Uint8Array) => createIds(new ManualClock(), { next: () => 0, bytes: () => random }).next('x')
      expect(id(a) === id(b)).toBe(Buffer.from(a).equals(Buffer.from(b)))
    }),
  )
})

test('a checked string can be taken as an id', () => {
  expect(asId<RunId>('run_1')).toBe('run_1')
})
