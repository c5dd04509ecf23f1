import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type MergeEvent,
  type MergeState,
  mergeStateNames,
  mergeStates,
  openMergeStates,
} from './merge-states-contract.ts'

const events = Object.keys(mergeStates.queued) as MergeEvent[]

test('from every open state a merge can end, and can be cancelled or fail', () => {
  for (const state of openMergeStates) {
    expect(mergeStates[state].cancel).toBe('cancelled')
    expect(mergeStates[state].fail).toBe('failed')
  }
})

test('a branch moves only through landing or because it held the commit already; what is merged stays merged', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (walk) => {
      let state: MergeState = 'queued'
      for (const event of walk) {
        const next: MergeState | null = mergeStates[state][event]
        if (next === null) continue
        if (state === 'merged') expect.unreachable('merged is final')
        if (next === 'landing') expect(state).toBe('testing')
        state = next
      }
      expect(mergeStateNames).toContain(state)
    }),
  )
})
