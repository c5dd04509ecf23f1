import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shapePools } from '../foundation/platform/config/pools.ts'
import { poolsWithSlots } from './worker-pools.ts'

const yaml = (slots: number) => ({ coder: { command: ['code', '{prompt}'], agents: 3, slots } })
const refuse = () => {
  throw new Error('nothing to complain about')
}

test('every pool has exactly the slots that were asked for, in agents of its usual size where they fit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 20 }), (slots, size) => {
      for (const pool of poolsWithSlots(shapePools(yaml(size), 2, refuse), slots)) {
        expect(pool.agents * pool.slots).toBe(slots)
        expect(Number.isInteger(pool.agents)).toBe(true)
        if (pool.name === 'coder' && slots % size === 0) expect(pool.slots).toBe(size)
      }
    }),
  )
})

test('without a number, pools are as the configuration says', () => {
  const pools = shapePools(yaml(2), 5, refuse)
  expect(poolsWithSlots(pools, null).map(({ name, agents, slots }) => [name, agents, slots])).toEqual([
    ['local', 5, 1],
    ['coder', 3, 2],
  ])
})
