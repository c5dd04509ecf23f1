import { expect, test } from 'vitest'
import { isAppError } from './errors.ts'
import { parseWith, z } from './schema.ts'

const schema = z.object({ name: z.string(), retry: z.object({ attempts: z.int().min(1) }) })

test('what fits is returned as it was parsed', () => {
  expect(parseWith(z.object({ n: z.coerce.number() }), { n: '3', more: true }, 'input')).toEqual({ n: 3 })
})

test('the error names what was parsed and each field that does not fit', () => {
  let caught: unknown
  try {
    parseWith(schema, { name: 5, retry: { attempts: 0 } }, 'the request')
  } catch (error) {
    caught = error
  }
  if (!isAppError(caught, 'invalid-input')) throw new Error('expected invalid-input')
  expect(caught.message).toMatch(/^the request: name: .*; retry\.attempts: /)
  expect(caught.details.issues).toEqual([
    { path: 'name', message: expect.stringContaining('string') },
    { path: 'retry.attempts', message: expect.any(String) },
  ])
})

test('a fault of the whole value has no field', () => {
  expect(() => parseWith(schema, 7, 'the request')).toThrow(/^the request: Invalid input: expected object/)
})
