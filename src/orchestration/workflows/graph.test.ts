import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildGraph, findCycle, type GraphNode } from './graph.ts'

/** A random acyclic graph: each step needs only steps with a smaller number, then the order of keys is shuffled. */
const acyclic = fc
  .integer({ min: 1, max: 25 })
  .chain((size) =>
    fc.tuple(
      fc.array(fc.uniqueArray(fc.nat({ max: size }), { maxLength: 5 }), { minLength: size, maxLength: size }),
      fc.shuffledSubarray(
        Array.from({ length: size }, (_, i) => i),
        { minLength: size, maxLength: size },
      ),
    ),
  )
  .map(([needs, order]) =>
    Object.fromEntries(
      order.map((i): [string, GraphNode] => [
        `s${i}`,
        { needs: (needs[i] ?? []).filter((n) => n < i).map((n) => `s${n}`) },
      ]),
    ),
  )

describe('an acyclic graph', () => {
  test('has no cycle, and an order in which each step follows what it needs', () => {
    fc.assert(
      fc.property(acyclic, (steps) => {
        expect(findCycle(steps)).toBeNull()
        const { order } = buildGraph(steps)
        expect([...order].sort()).toEqual(Object.keys(steps).sort())
        for (const [id, step] of Object.entries(steps)) {
          for (const need of step.needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(id))
        }
      }),
    )
  })

  test('reaches what a walk along the needs reaches', () => {
    fc.assert(
      fc.property(acyclic, (steps) => {
        const graph = buildGraph(steps)
        const walk = (id: string): Set<string> =>
          new Set((steps[id]?.needs ?? []).flatMap((need) => [need, ...walk(need)]))
        for (const id of graph.ids) {
          const reached = walk(id)
          for (const other of graph.ids) {
            expect(graph.reaches(id, other)).toBe(reached.has(other))
            expect(graph.descendants(other).has(id)).toBe(reached.has(other))
          }
        }
      }),
    )
  })

  test('levels lie one above the other, roots need nothing, dependents are the needs turned round', () => {
    fc.assert(
      fc.property(acyclic, (steps) => {
        const graph = buildGraph(steps)
        const level = new Map(graph.levels.flatMap((ids, index) => ids.map((id) => [id, index] as const)))
        expect(level.size).toBe(graph.ids.length)
        for (const [id, { needs }] of Object.entries(steps)) {
          expect(level.get(id)).toBe(Math.max(-1, ...needs.map((need) => level.get(need) ?? 0)) + 1)
          expect(graph.roots.includes(id)).toBe(needs.length === 0)
          for (const need of needs) expect(graph.dependents(need)).toContain(id)
        }
      }),
    )
  })
})

test('one edge back makes a cycle, which is found and is real', () => {
  fc.assert(
    fc.property(acyclic, fc.nat(), fc.nat(), (steps, a, b) => {
      const graph = buildGraph(steps)
      const id = graph.ids[a % graph.ids.length] as string
      const above = [id, ...graph.descendants(id)]
      const last = above[b % above.length] as string
      const closed = { ...steps, [id]: { needs: [...(steps[id]?.needs ?? []), last] } }
      const cycle = findCycle(closed) as readonly string[]
      expect(cycle.length).toBeGreaterThan(1)
      expect(cycle[0]).toBe(cycle.at(-1))
      for (const [index, step] of cycle.slice(0, -1).entries()) {
        expect(closed[step]?.needs).toContain(cycle[index + 1])
      }
      expect(new Set(cycle.slice(1)).size).toBe(cycle.length - 1)
      expect(() => buildGraph(closed)).toThrow('cycle')
    }),
  )
})

test('needs that name no step are passed over', () => {
  const graph = buildGraph({ a: { needs: ['zz', 'toString'] }, b: { needs: ['a', 'a'] } })
  expect(graph.order).toEqual(['a', 'b'])
  expect(findCycle({ a: { needs: ['zz', 'toString'] } })).toBeNull()
})

test('a chain of 2,000 steps does not exhaust the stack', () => {
  const chain = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, i) => [`s${i}`, { needs: i ? [`s${i - 1}`] : [] }]),
  )
  expect(buildGraph(chain).levels).toHaveLength(2_000)
  expect(findCycle({ ...chain, s0: { needs: ['s1999'] } })).toHaveLength(2_001)
})
