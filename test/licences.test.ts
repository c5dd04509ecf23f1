import { expect, test } from 'vitest'
import { findRefused, isAllowed } from '../scripts/licences.ts'
import { root } from './meta/source-tree.ts'

test('every dependency has a licence that the project may build on', () => {
  expect(findRefused(root)).toEqual([])
})

test.each([
  ['MIT', true],
  ['(MIT OR GPL-3.0-only)', true],
  ['MIT AND Apache-2.0', true],
  ['MIT AND GPL-3.0-only', false],
  ['AGPL-3.0-only', false],
  ['BUSL-1.1', false],
  ['SEE LICENSE IN LICENSE', false],
])('%s is allowed: %s', (expression, allowed) => {
  expect(isAllowed(expression)).toBe(allowed)
})
