import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairShares, type Flow } from './fair-shares.ts'

/** Serves one of `wanting` at a time, as decisions of `size` would. */
function serve(shares: FairShares, wanting: readonly Flow[], times: number, size = 1): string[] {
  const served: string[] = []
  while (served.length < times) {
    const open = shares.open('all', wanting)
    for (let n = 0; n < size && served.length < times; n++) {
      const flow = open.next()!
      served.push(flow.key)
      open.serve(flow)
    }
    open.close()
  }
  return served
}
const count = (served: readonly string[], key: string) => served.filter((one) => one === key).length

test('the first as given, then in turn', () => {
  const flows = ['a', 'b', 'c'].map((key) => ({ key, weight: 1 }))
  expect(serve(new FairShares(), flows, 6)).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
})

test('all that always want something have their share by weight at any time, whatever the size of decisions', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 300 }), (list, size, times) => {
      const flows = list.map((weight, n) => ({ key: `f${n}`, weight }))
      const total = list.reduce((sum, weight) => sum + weight, 0)
      const served = serve(new FairShares(), flows, times, size)
      for (const { key, weight } of flows) {
        expect(Math.abs(count(served, key) - (times * weight) / total)).toBeLessThanOrEqual(list.length)
      }
    }),
  )
})

test('who pauses saves nothing up, and who comes back does not wait for it either', () => {
  const shares = new FairShares()
  const [a, b] = [
    { key: 'a', weight: 1 },
    { key: 'b', weight: 1 },
  ]
  serve(shares, [a, b], 10)
  serve(shares, [a], 100)
  const after = serve(shares, [a, b], 10)
  expect([count(after, 'a'), count(after, 'b')]).toEqual([5, 5])
})

test('groups do not know of each other', () => {
  const shares = new FairShares()
  serve(shares, [{ key: 'a', weight: 1 }], 50)
  const open = shares.open('others', [
    { key: 'a', weight: 1 },
    { key: 'b', weight: 1 },
  ])
  expect(open.next()!.key).toBe('a')
})

test('one that leaves is not asked again', () => {
  const flows = ['a', 'b'].map((key) => ({ key, weight: 1 }))
  const open = new FairShares().open('all', flows)
  open.leave(flows[0]!)
  expect(open.next()).toBe(flows[1])
  open.leave(flows[1]!)
  expect(open.next()).toBe(null)
})
