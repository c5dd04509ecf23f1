import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dimensions, dimensionWeights } from './dimensions-contract.ts'
import { loadOf, resourceBased } from './resource-based.ts'
import { anyCandidates, candidate } from './strategies.fixture.ts'

const all = (cpu: number, memory: number, disk: number, network: number) => ({ load: { cpu, memory, disk, network } })

test('weighs cpu 0.4, memory 0.3, disk 0.2 and network 0.1', () => {
  expect(dimensionWeights).toEqual({ cpu: 0.4, memory: 0.3, disk: 0.2, network: 0.1 })
  expect(dimensions.reduce((sum, name) => sum + dimensionWeights[name], 0)).toBeCloseTo(1)
  expect(loadOf(candidate('a', 0, 1, 1, all(1, 0, 0, 0)))).toBeCloseTo(0.4)
  expect(loadOf(candidate('a', 0, 1, 1, all(0.5, 0.5, 1, 0.1)))).toBeCloseTo(0.56)
})

test('picks by what is used, whatever the slots say', () => {
  const list = [candidate('a', 0, 9, 1, all(0.9, 0.2, 0.1, 0)), candidate('b', 8, 9, 1, all(0.1, 0.2, 0.9, 0))]
  expect(resourceBased().pick(list)!.id).toBe('b')
})

test('without figures it goes by slots: one that reports nothing does not get everything', () => {
  const list = ['a', 'b', 'c'].map((id) => ({ ...candidate(id, 0, 10) }))
  for (let n = 0; n < 9; n++) resourceBased().pick(list)!.used += 1
  expect(list.map((one) => one.used)).toEqual([3, 3, 3])
})

test('the load is between 0 and 1 for whatever is reported', () => {
  fc.assert(
    fc.property(anyCandidates, fc.double({ noNaN: true }), (list, wild) => {
      for (const one of list.filter(({ slots }) => slots > 0)) {
        const score = loadOf({ ...one, load: { ...one.load, cpu: wild } })
        expect(score).toBeGreaterThanOrEqual(0)
        expect(score).toBeLessThanOrEqual(1 + 1e-9)
      }
    }),
  )
})
