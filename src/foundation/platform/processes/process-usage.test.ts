import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ProcessEntry } from './process-table.ts'
import { shareCollectedCpu, UsageMeter } from './process-usage.ts'

function entry(pid: number, parent: number, cpuSeconds: number, rssBytes = 1): ProcessEntry {
  return { pid, parent, group: 1, session: 1, zombie: false, start: `s${pid}`, cpuSeconds, rssBytes }
}

it('adds up a tree and keeps the highest sum of memory', () => {
  const meter = new UsageMeter(10)
  expect([meter.cpuSeconds, meter.maxRssBytes]).toEqual([null, null])
  meter.sample([entry(10, 1, 1, 100), entry(11, 10, 2, 200)])
  meter.sample([entry(10, 1, 1.5, 50), entry(11, 10, 3, 100)])
  expect([meter.cpuSeconds, meter.maxRssBytes]).toEqual([4.5, 300])
})

it('does not count a child twice that its parent has collected', () => {
  const meter = new UsageMeter(10)
  meter.sample([entry(10, 1, 1), entry(11, 10, 2)])
  meter.sample([entry(10, 1, 3)])
  expect(meter.cpuSeconds).toBe(3)
})

it('keeps what an orphan used, whom a stranger collects', () => {
  const meter = new UsageMeter(10)
  meter.sample([entry(10, 1, 1), entry(11, 1, 2)])
  meter.sample([entry(10, 1, 1)])
  expect(meter.cpuSeconds).toBe(3)
  meter.mainEnded(1.25)
  meter.sample([])
  expect(meter.cpuSeconds).toBe(3.25)
})

it('counts descendants that outlive the main process', () => {
  const meter = new UsageMeter(10)
  meter.sample([entry(10, 1, 1), entry(11, 10, 2)])
  meter.mainEnded(1.5)
  meter.sample([entry(11, 1, 2.5)])
  meter.sample([])
  expect(meter.cpuSeconds).toBe(4)
})

it('shares out exactly what was collected, and gives nobody less than was seen of him', () => {
  const child = fc.record({
    seenSeconds: fc.double({ min: 0, max: 100, noNaN: true }),
    unseenMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  const rest = fc.double({ min: 0, max: 1_000, noNaN: true })
  fc.assert(
    fc.property(fc.array(child, { minLength: 1, maxLength: 20 }), rest, (ended, more) => {
      const growth = ended.reduce((total, one) => total + one.seenSeconds, 0) + more
      const shares = shareCollectedCpu(growth, ended)
      expect(shares.reduce((total, share) => total + share, 0)).toBeCloseTo(growth, 6)
      for (const [index, share] of shares.entries()) expect(share).toBeGreaterThanOrEqual(ended[index]!.seenSeconds)
    }),
  )
})
