import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { strategyNames } from '../../foundation/balancing/strategies.ts'
import type { ResolvedWork } from '../workflows/task-contract.ts'
import {
  affinityKeys,
  bulkLanes,
  bulkOf,
  type LaneRequirements,
  laneOf,
  parseLane,
  placeOfLane,
  requirementsOf,
} from './lane-contract.ts'

test('a lane is named after what it asks for', () => {
  expect(laneOf({ priority: 5, capabilities: [] })).toBe('5|')
  expect(laneOf({ priority: 10, capabilities: ['gpu', 'code', 'gpu'] })).toBe('10|code,gpu')
  expect(parseLane('5|')).toEqual({ priority: 5, capabilities: [] })
  expect(parseLane('10|code,gpu')).toEqual({ priority: 10, capabilities: ['code', 'gpu'] })
})

test('equal requirements share a lane, different ones do not, and the name tells them again', () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9._-]{0,10}$/)
  const requirements = fc.record({
    priority: fc.integer({ min: 1, max: 10 }),
    capabilities: fc.array(label, { maxLength: 5 }),
  })
  const normal = ({ priority, capabilities }: { priority: number; capabilities: readonly string[] }) => ({
    priority,
    capabilities: [...new Set(capabilities)].sort(),
  })
  fc.assert(
    fc.property(requirements, requirements, (a, b) => {
      expect(parseLane(laneOf(a))).toEqual(normal(a))
      expect(laneOf(a) === laneOf(b)).toBe(JSON.stringify(normal(a)) === JSON.stringify(normal(b)))
    }),
  )
})

describe('what is rarely asked for', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,6}$/)
  const words = fc.uniqueArray(word, { minLength: 1, maxLength: 3 }).map((list) => list.sort())
  const labels = fc.dictionary(word, fc.string({ maxLength: 5 }), { minKeys: 1, maxKeys: 3 })
  const amount = fc.oneof(fc.nat(), fc.double({ min: 0.001, max: 1e12, noNaN: true }))
  const requirements: fc.Arbitrary<LaneRequirements> = fc.record(
    {
      priority: fc.integer({ min: 1, max: 10 }),
      capabilities: fc.uniqueArray(fc.constantFrom('a', 'b:3', 'c/d')).map((list) => list.sort()),
      preferredCapabilities: words,
      labels,
      preferredLabels: labels,
      avoidedLabels: labels,
      region: word,
      tolerations: words,
      strategy: fc.constantFrom(...strategyNames),
      affinity: fc.nat(affinityKeys).map(String),
      apart: fc.record({
        key: fc.string({ minLength: 1 }),
        scope: fc.constantFrom('agent' as const, 'runner' as const),
      }),
      resources: fc.record({ cpu: amount, memory: amount, disk: amount, network: amount }),
      preemptible: fc.constant(true as const),
      bulk: fc.nat(bulkLanes),
    },
    { requiredKeys: ['priority', 'capabilities'] },
  )
  const sortedKeys = (value: LaneRequirements) =>
    JSON.stringify(value, (_, inner) =>
      inner === null || Array.isArray(inner) || typeof inner !== 'object'
        ? inner
        : Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))),
    )

  test('is in the name, and read from it again', () => {
    fc.assert(
      fc.property(requirements, requirements, (a, b) => {
        expect(parseLane(laneOf(a))).toEqual({ ...a })
        expect(laneOf(a) === laneOf(b)).toBe(sortedKeys(a) === sortedKeys(b))
      }),
    )
  })

  test('a field of a newer version is passed over', () => {
    expect(parseLane('5|a|z=1;r=eu')).toEqual({ priority: 5, capabilities: ['a'], region: 'eu' })
  })

  test('the place is what is left without priority and bulk', () => {
    fc.assert(
      fc.property(requirements, (lane) => {
        const { bulk: _, ...rest } = lane
        expect(placeOfLane(laneOf({ ...lane, priority: 1 }))).toBe(placeOfLane(laneOf({ ...rest, priority: 9 })))
      }),
    )
    expect(placeOfLane('5|a')).toBe('a')
    expect(placeOfLane('5|a|r=eu;b=3')).not.toBe(placeOfLane('5|a|r=us;b=3'))
  })
})

describe('the requirements of a task', () => {
  const resources = { cpuCores: 1, memoryBytes: 2 ** 29, diskBytes: 2 ** 30, networkMbps: 10 }
  const work = (more: Partial<ResolvedWork>) => ({ capabilities: ['code'], resources, ...more }) as ResolvedWork

  test('are plain where the step asks for nothing special', () => {
    expect(laneOf(requirementsOf(work({}), 5, null))).toBe('5|code')
    expect(laneOf(requirementsOf(null, 7, null))).toBe('7|')
  })

  test('name what is set aside where it is not the usual', () => {
    const more = { ...resources, cpuCores: 2, networkMbps: 8 }
    expect(requirementsOf(work({ resources: more }), 5, null).resources).toEqual({
      cpu: 2,
      memory: 2 ** 29,
      disk: 2 ** 30,
      network: 1_000_000,
    })
  })

  test('fold keys, so that a lane for each conversation is not needed', () => {
    const lanes = new Set(
      Array.from({ length: 5_000 }, (_, n) =>
        laneOf(requirementsOf(work({ placement: { affinityKey: `c${n}` } }), 5, null)),
      ),
    )
    expect(lanes.size).toBe(affinityKeys)
    const placed = (placement: object) => requirementsOf(work({ placement }), 5, null).strategy
    expect(placed({ affinityKey: 'c' })).toBe('consistent_hash')
    expect(placed({ affinityKey: 'c', strategy: 'weighted' })).toBe('weighted')
    expect(placed({ region: 'eu' })).toBe(undefined)
  })

  test('put steps of many tasks into a lane of few runs', () => {
    expect(bulkOf('run_a', 3)).toBe(null)
    const lanes = new Set(Array.from({ length: 500 }, (_, n) => bulkOf(`run_${n}`, 1_000)))
    expect(lanes.size).toBe(bulkLanes)
    expect(laneOf(requirementsOf(work({}), 5, 3))).toBe('5|code|b=3')
  })
})
