import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonValue } from '../../../foundation/kernel/json.ts'
import { atPointer } from './json-pointer.ts'

test.each([
  ['', { a: 1 }, { a: 1 }],
  ['/a/1/b', { a: [0, { b: 'x' }] }, 'x'],
  ['/a~1b/m~0n', { 'a/b': { 'm~n': 1 } }, 1],
  ['/', { '': 2 }, 2],
  ['/a/01', { a: [1, 2] }, undefined],
  ['/a/-', { a: [1] }, undefined],
  ['/constructor', {}, undefined],
  ['/a/b', { a: 'text' }, undefined],
  ['/a', null, undefined],
] as const)('%s', (pointer, value, found) => {
  expect(atPointer(value as JsonValue, pointer)).toEqual(found)
})

test('every place of every value is found by the pointer to it', () => {
  const visit = (value: JsonValue, pointer: string, root: JsonValue): void => {
    expect(atPointer(root, pointer)).toEqual(value)
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value))
      visit(inner as JsonValue, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, root)
  }
  fc.assert(fc.property(fc.jsonValue(), (value) => visit(value as JsonValue, '', value as JsonValue)))
})
