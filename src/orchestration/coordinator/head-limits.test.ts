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
  const lanes = [{ lane: '5|', room: 10 }, ...[1, 7, 9].map((bulk) => ({ lane: `5||b=${bulk}`, room: 10, bulk }))]
  expect(headLimits([...lanes, { lane: '4|', room: 10 }], 500)).toEqual([4, 4, 4, 4, 10])
  expect(
    headLimits(
      [1, 2].map((bulk) => ({ lane: `5||b=${bulk}`, room: 1, bulk })),
      500,
    ),
  ).toEqual([1, 1])
})
