import { expect, test } from 'vitest'
import { headLimits } from './head-limits.ts'

test('a lane alone is read as far as there is room', () => {
  expect(
    headLimits(
      [
        { lane: '5|', room: 30 },
        { lane: '4|', room: 900 },
        { lane: '5|gpu', room: 1 },
      ],
      500,
    ),
  ).toEqual([30, 500, 1])
})

test('lanes that share their agents are read in part', () => {
  const lanes = ['5|', '5||b=1', '5||b=7', '5||b=9'].map((lane) => ({ lane, room: 10 }))
  expect(headLimits(lanes, 500)).toEqual([5, 5, 5, 5])
  expect(
    headLimits(
      [
        { lane: '5||b=1', room: 1 },
        { lane: '5||b=2', room: 1 },
      ],
      500,
    ),
  ).toEqual([1, 1])
})
