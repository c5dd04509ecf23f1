import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairOrder, type Waiting } from './fair-order.ts'

/** Serves one after the other, the order asked anew each time. */
function serve(order: FairOrder, waiting: readonly Waiting[], most = waiting.length): string[] {
  const left = [...waiting]
  return Array.from({ length: most }, () => {
    const [next] = order.of(left)
    left.splice(left.indexOf(next!), 1)
    order.served(next!.asker)
    return next!.asker
  })
}

const calls = (askers: string, priority = 5): Waiting[] => [...askers].map((asker, turn) => ({ asker, turn, priority }))

test('one with many calls shares with one that has few, whoever came first', () => {
  expect(serve(new FairOrder(), calls('aaaaaaabb'), 5).join('')).toBe('ababa')
})

test('one alone is served as it came', () => {
  const waiting = calls('aaaa')
  expect(new FairOrder().of(waiting.toReversed())).toEqual(waiting)
})

test('twice the weight, twice the part', () => {
  const order = new FairOrder((asker) => (asker === 'a' ? 2 : 1))
  const first = serve(order, calls('a'.repeat(30) + 'b'.repeat(30)), 30)
  expect(first.filter((asker) => asker === 'a')).toHaveLength(20)
})

test('priority goes before parts', () => {
  const order = new FairOrder()
  expect(serve(order, [...calls('aa'), { asker: 'a', priority: 9, turn: 9 }, ...calls('b')], 1)).toEqual(['a'])
  expect(order.of([...calls('b', 5), { asker: 'a', priority: 9, turn: 9 }])[0]!.priority).toBe(9)
})

test('a pause saves nothing up', () => {
  const order = new FairOrder()
  serve(order, calls('aaaaaaaaaa'))
  expect(serve(order, calls('bbbbbbaaaaaa'), 6).filter((asker) => asker === 'b').length).toBeLessThanOrEqual(4)
})

test('whoever waits, nobody with calls is more than one behind another of the same weight', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...'aaaaaaaabbbbbbbbcccccccc'], { minLength: 24, maxLength: 24 }), (askers) => {
      const counts: Record<string, number> = { a: 0, b: 0, c: 0 }
      for (const asker of serve(new FairOrder(), calls(askers.join('')))) {
        counts[asker]! += 1
        expect(Math.max(...Object.values(counts)) - Math.min(...Object.values(counts))).toBeLessThanOrEqual(1)
      }
    }),
  )
})
