import fc from 'fast-check'
import type { Candidate } from './candidate.ts'

export function candidate(
  id: string,
  used: number,
  slots: number,
  weight = 1,
  more: Partial<Candidate> = {},
): Candidate {
  return { id, used, slots, weight, ...more }
}

export const free = (...ids: string[]) => ids.map((id) => candidate(id, 0, 1_000))

const share = fc.double({ min: 0, max: 1, noNaN: true })
const load = fc.record({ cpu: share, memory: share, disk: share, network: share }, { requiredKeys: [] })
const levels = fc
  .dictionary(fc.constantFrom('code', 'review', 'gpu'), fc.integer({ min: 1, max: 10 }))
  .map((record) => new Map(Object.entries(record)))

/** Lists of candidates with different ids, some full, some without slots, that know more or less of themselves. */
export const anyCandidates = fc
  .uniqueArray(
    fc.record({
      id: fc.stringMatching(/^[a-f]{1,2}$/),
      used: fc.nat(4),
      slots: fc.nat(4),
      weight: fc.constantFrom(0.5, 1, 2, 3),
      more: fc.record({ load, levels }, { requiredKeys: [] }),
    }),
    { selector: (one) => one.id },
  )
  .map((list) =>
    list.map(({ id, used, slots, weight, more }) => candidate(id, Math.min(used, slots), slots, weight, more)),
  )
