import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PickRequest } from './candidate.ts'
import { capabilityLevels, expandCapabilities, parseCapability } from './capabilities-contract.ts'
import { capabilityBased } from './capability-based.ts'
import { anyCandidates, candidate } from './strategies.fixture.ts'

const able = (id: string, capabilities: readonly string[], used = 0) =>
  candidate(id, used, 10, 1, { levels: capabilityLevels(capabilities) })
const asks = (required: readonly string[], preferred: readonly string[] = []): PickRequest => ({
  required: capabilityLevels(required),
  preferred: capabilityLevels(preferred),
})
const pick = (list: ReturnType<typeof able>[], request: PickRequest) =>
  capabilityBased().pick(list, request)?.id ?? null

test('nobody is picked who cannot do all that is required, at the level required', () => {
  expect(pick([able('a', ['code']), able('b', ['review'])], asks(['code', 'review']))).toBe(null)
  expect(pick([able('a', ['code:2']), able('b', ['code:3'])], asks(['code:3']))).toBe('b')
})

test('the most specific fit comes first: the generalist stays free', () => {
  const list = [able('a', ['code', 'review', 'gpu']), able('b', ['code', 'review']), able('c', ['code'])]
  expect(pick(list, asks(['code']))).toBe('c')
  expect(pick(list, asks(['code', 'review']))).toBe('b')
  expect(pick(list, asks(['gpu']))).toBe('a')
  expect(pick([able('a', ['code:9']), able('b', ['code:4'])], asks(['code:3']))).toBe('b')
})

test('what is preferred outweighs a closer fit, and counts up to its level', () => {
  const list = [able('a', ['code']), able('b', ['code', 'fast:2', 'gpu'])]
  expect(pick(list, asks(['code'], ['fast']))).toBe('b')
  expect(pick([able('a', ['code', 'fast:1']), able('b', ['code', 'fast:4'])], asks(['code'], ['fast:4']))).toBe('b')
})

test('among equal fits the least busy', () => {
  expect(pick([able('a', ['code'], 5), able('b', ['code'], 1)], asks(['code']))).toBe('b')
})

test('whoever is picked fits, and nobody who fits is passed over for nobody', () => {
  const skills = fc.dictionary(fc.constantFrom('code', 'review', 'gpu'), fc.integer({ min: 1, max: 10 }))
  fc.assert(
    fc.property(anyCandidates, skills, (list, wanted) => {
      const required = new Map(Object.entries(wanted))
      const fits = list.filter(
        (one) => one.used < one.slots && [...required].every(([name, level]) => (one.levels?.get(name) ?? 0) >= level),
      )
      const picked = capabilityBased().pick(list, { required })
      if (picked === null) expect(fits).toEqual([])
      else expect(fits).toContain(picked)
    }),
  )
})

test('a capability is a name and a level, and whoever has a level has those below', () => {
  expect(parseCapability('code')).toEqual({ name: 'code', level: 1 })
  expect(parseCapability('a/b.c:7')).toEqual({ name: 'a/b.c', level: 7 })
  expect([...capabilityLevels(['code', 'code:3', 'code:2'])]).toEqual([['code', 3]])
  expect([...expandCapabilities(['code:3', 'gpu'])]).toEqual(['code', 'code:1', 'code:2', 'code:3', 'gpu', 'gpu:1'])
})
