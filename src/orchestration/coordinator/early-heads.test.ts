import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import { type AskedLane, type EarlyHeads, pickHeads } from './early-heads.ts'
import type { LaneHeads } from './sql/read-heads.ts'

const shard = { tenant: 'default' as TenantId, pool: 'p' }
const asked = (lane: string, limit: number): AskedLane => ({ ...shard, lane, limit })
const heads = (lane: string, count: number): LaneHeads => {
  const numbers = Array.from({ length: count }, (_, n) => n)
  return { ...shard, lane, ids: numbers.map((n) => `${lane}${n}`), readySeqs: numbers, holds: numbers.map(() => '') }
}

/** What a database with so many ready tasks in each lane answers. */
const answer = (ready: Readonly<Record<string, number>>, lanes: readonly AskedLane[]): readonly LaneHeads[] =>
  lanes.flatMap(({ lane, limit }) => {
    const count = Math.min(limit, ready[lane] ?? 0)
    return count === 0 ? [] : [heads(lane, count)]
  })

describe('heads that were read early', () => {
  const lanes = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 9 }))
  test('are what asking would have given, or are not used', () => {
    fc.assert(
      fc.property(lanes, lanes, lanes, (ready, before, now) => {
        const of = (limits: Readonly<Record<string, number>>) =>
          Object.entries(limits).map(([lane, limit]) => asked(lane, limit))
        const early: EarlyHeads = { asked: of(before), heads: answer(ready, of(before)), remaining: [] }
        const picked = pickHeads(early, of(now))
        const covered = Object.entries(now).every(([lane, limit]) => (before[lane] ?? 0) >= limit)
        expect(picked?.heads ?? null).toEqual(covered ? answer(ready, of(now)) : null)
      }),
    )
  })

  test('are none where nothing was read', () => {
    expect(pickHeads(null, [asked('a', 1)])).toBe(null)
  })
})
