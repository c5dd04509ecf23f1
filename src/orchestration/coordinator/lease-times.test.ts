import { expect, test } from 'vitest'
import { LeaseTimes } from './lease-times.ts'

function learner() {
  const seen: [string, number][] = []
  return { seen, observe: (id: string, ms: number) => void seen.push([id, ms]) }
}

test('whoever gave out a lease learns how long it took, once', () => {
  const told = learner()
  const times = new LeaseTimes()
  times.given(1, 'a', 100, told)
  times.given(2, 'b', 150, {})
  times.ended(1, 400)
  times.ended(1, 900)
  times.ended(2, 900)
  times.ended(3, 900)
  expect(told.seen).toEqual([['a', 300]])
})

test('no more are remembered than was asked for, the newest', () => {
  const told = learner()
  const times = new LeaseTimes(2)
  for (const fence of [1, 2, 3]) times.given(fence, 'a', 0, told)
  for (const fence of [1, 2, 3]) times.ended(fence, fence)
  expect(told.seen).toEqual([
    ['a', 2],
    ['a', 3],
  ])
})
