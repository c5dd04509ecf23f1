import { describe, expect, test } from 'vitest'
import { defineWorkflow } from './define-workflow.ts'
import { readInputTexts, resolveInputs } from './workflow-inputs.ts'

const definition = defineWorkflow({
  name: 'w',
  inputs: {
    name: {},
    count: { type: 'number', default: 3 },
    dry: { type: 'boolean', default: false },
    data: { type: 'json', required: false },
    level: { enum: ['low', 'high'], default: 'low' },
  },
  steps: { a: { command: ['x'] } },
})

describe('resolveInputs', () => {
  test('fills in the defaults; what is optional is null', () => {
    expect(resolveInputs(definition, { name: 'n' })).toEqual({
      name: 'n',
      count: 3,
      dry: false,
      data: null,
      level: 'low',
    })
  })

  test('keeps what is given', () => {
    const given = { name: '', count: 0, dry: true, data: { a: [1] }, level: 'high' }
    expect(resolveInputs(definition, given)).toEqual(given)
  })

  test('names every fault', () => {
    expect(() => resolveInputs(definition, { count: '3', level: 'mid', cuont: 1, toString: 1 })).toThrow(
      'w: cuont: the workflow has no such input; did you mean "count"?; toString: the workflow has no such input; ' +
        'name: missing (expected a string); count: found "3" (expected a number); level: found "mid" (expected one of low, high)',
    )
  })
})

test('readInputTexts reads the texts of a command line by the types that are declared', () => {
  const texts = { name: '5', count: '5', dry: 'true', data: '{"a":1}', unknown: 'x' }
  expect(readInputTexts(definition, texts)).toEqual({ name: '5', count: 5, dry: true, data: { a: 1 }, unknown: 'x' })
  expect(readInputTexts(definition, { count: 'many', dry: 'yes', data: 'plain words' })).toEqual({
    count: 'many',
    dry: 'yes',
    data: 'plain words',
  })
  expect(readInputTexts(definition, { count: '' })).toEqual({ count: '' })
})
