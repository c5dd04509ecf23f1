import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildGraph } from '../workflows/graph.ts'
import { type FormerStep, stepsToKeep } from './inherit-steps.ts'

function former(step: string, state: string, byCondition = false): FormerStep {
  return { step, state, byCondition, outputs: { of: step } }
}
const graph = buildGraph({ a: { needs: [] }, b: { needs: ['a'] }, c: { needs: ['b'] }, d: { needs: [] } })
const kept = (steps: readonly FormerStep[], again: string[] = []) => [
  ...stepsToKeep(steps, graph, new Set(again)).keys(),
]

test('what ended well is kept with its outputs', () => {
  const steps = [
    former('a', 'succeeded'),
    former('b', 'skipped', true),
    former('c', 'succeeded'),
    former('d', 'succeeded'),
  ]
  expect([...stepsToKeep(steps, graph, new Set())]).toEqual([
    ['a', { state: 'succeeded', byCondition: false, outputs: { of: 'a' } }],
    ['b', { state: 'skipped', byCondition: true, outputs: { of: 'b' } }],
    ['c', { state: 'succeeded', byCondition: false, outputs: { of: 'c' } }],
    ['d', { state: 'succeeded', byCondition: false, outputs: { of: 'd' } }],
  ])
})

test.each(['failed', 'timed-out', 'cancelled', 'running', 'pending', 'waiting', 'skipped'])(
  'a step that was %s is done again, with all that depends on it',
  (state) => {
    const steps = [former('a', 'succeeded'), former('b', state), former('c', 'succeeded'), former('d', 'succeeded')]
    expect(kept(steps)).toEqual(['a', 'd'])
  },
)

test('what is named is done again, with all that depends on it', () => {
  const steps = ['a', 'b', 'c', 'd'].map((step) => former(step, 'succeeded'))
  expect(kept(steps, ['b'])).toEqual(['a', 'd'])
  expect(kept(steps, ['a'])).toEqual(['d'])
  expect(kept(steps, ['c', 'd'])).toEqual(['a', 'b'])
})

test('steps that the workflow does not have are not kept, and names it does not know are ignored', () => {
  expect(
    kept([former('a', 'succeeded'), former('$on-end', 'succeeded'), former('gone', 'failed')], ['nowhere']),
  ).toEqual(['a'])
})

test('nothing that is kept needs anything that is done again', () => {
  const drafts = fc.array(fc.record({ needs: fc.array(fc.nat(), { maxLength: 3 }), ok: fc.boolean() }), {
    minLength: 1,
    maxLength: 12,
  })
  fc.assert(
    fc.property(drafts, fc.nat(), (list, from) => {
      const nodes = Object.fromEntries(
        list.map(({ needs }, n) => [
          `s${n}`,
          { needs: n === 0 ? [] : [...new Set(needs.map((need) => `s${need % n}`))] },
        ]),
      )
      const steps = list.map(({ ok }, n) => former(`s${n}`, ok ? 'succeeded' : 'failed'))
      const again = `s${from % list.length}`
      const result = stepsToKeep(steps, buildGraph(nodes), new Set([again]))
      expect(result.has(again)).toBe(false)
      for (const id of result.keys()) for (const need of nodes[id]!.needs) expect(result.has(need)).toBe(true)
      for (const { step, state } of steps) {
        const soundNeeds = nodes[step]!.needs.every((need) => result.has(need))
        expect(result.has(step)).toBe(state === 'succeeded' && step !== again && soundNeeds)
      }
    }),
  )
})
