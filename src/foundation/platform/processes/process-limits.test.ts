import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LimitWatch } from './process-limits.ts'

const used = (cpuSeconds: number, rssBytes: number, networkBytes: number | null = null) => {
  return { cpuSeconds, rssBytes, networkBytes }
}

test('memory above its limit shows at once', () => {
  const watch = new LimitWatch({ memoryBytes: 100 })
  expect(watch.sample(0, used(0, 100))).toBe(null)
  expect(watch.sample(1, used(0, 101))).toEqual({ resource: 'memory', used: 101, limit: 100 })
})

test('more cores than allowed show after five seconds of it', () => {
  const watch = new LimitWatch({ cpuCores: 1 })
  const seen = [0, 1, 2, 3, 4, 5, 6].map((second) => watch.sample(second * 1_000, used(second * 2, 0)))
  expect(seen.slice(0, 5)).toEqual([null, null, null, null, null])
  expect(seen[5]).toEqual({ resource: 'cpu', used: 2, limit: 1 })
})

test('a burst is no breach, and what was before the window does not count', () => {
  const watch = new LimitWatch({ cpuCores: 1 })
  let cpu = 0
  for (let second = 0; second < 60; second++) {
    cpu += second % 5 === 0 ? 4 : 0
    expect(watch.sample(second * 1_000, used(cpu, 0))).toBe(null)
  }
  for (let second = 60; second < 64; second++) {
    cpu += 2
    watch.sample(second * 1_000, used(cpu, 0))
  }
  cpu += 2
  expect(watch.sample(64_000, used(cpu, 0))).toMatchObject({ resource: 'cpu', limit: 1 })
})

test('who keeps to the limits is never accused, whenever it is looked at', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ ms: fc.integer({ min: 1, max: 4_000 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      ),
      (steps) => {
        const watch = new LimitWatch({ cpuCores: 2, memoryBytes: 100 })
        let [at, cpu] = [0, 0]
        for (const { ms, share } of steps) {
          at += ms
          cpu += (ms / 1_000) * 2 * share
          expect(watch.sample(at, used(cpu, 100 * share))).toBe(null)
        }
      },
    ),
  )
})

test('more of the network than allowed shows after five seconds of it, and what cannot be told is no breach', () => {
  const watch = new LimitWatch({ networkBytesPerSecond: 1_000 })
  for (let second = 0; second < 20; second++) expect(watch.sample(second * 1_000, used(99, 99))).toBe(null)
  const seen = [20, 21, 22, 23, 24, 25].map((second) => watch.sample(second * 1_000, used(0, 0, (second - 20) * 2_000)))
  expect(seen.slice(0, 5)).toEqual([null, null, null, null, null])
  expect(seen[5]).toEqual({ resource: 'network', used: 2_000, limit: 1_000 })
})
