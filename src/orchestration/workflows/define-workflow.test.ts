import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AppError } from '../../foundation/kernel/errors.ts'
import { defineWorkflow } from './define-workflow.ts'
import { hashDefinition } from './hash-definition.ts'
import { parseWorkflow } from './parse-workflow.ts'
import { printWorkflow } from './print-workflow.ts'

const small = { name: 'w', steps: { a: { command: ['x'] } } }

test('a workflow in TypeScript is the same as in YAML', () => {
  const inTypeScript = defineWorkflow({
    name: 'w',
    inputs: { dir: { default: '.' } },
    steps: {
      list: { command: ['ls', '${{ inputs.dir }}'], outputs: { files: 'stdout' } },
      each: {
        needs: ['list'],
        map: { over: '${{ steps.list.outputs.files.split("\\n") }}', step: { agent: 'read ${{ item }}' } },
      },
    },
  })
  const inYaml = parseWorkflow(
    [
      'name: w',
      'inputs: {dir: {default: .}}',
      'steps:',
      '  list: {command: [ls, "${{ inputs.dir }}"], outputs: {files: stdout}}',
      '  each: {needs: list, map: {over: \'${{ steps.list.outputs.files.split("\\n") }}\', step: {agent: "read ${{ item }}"}}}',
    ].join('\n'),
    'w.yaml',
  ).definition
  expect(inTypeScript).toEqual(inYaml)
  expect(hashDefinition(inTypeScript)).toBe(hashDefinition(inYaml))
})

test('it is refused like a file, with paths for places', () => {
  try {
    defineWorkflow({ name: 'w', steps: { a: { command: ['x', '${{ inputs.y }}'], needs: ['b'] } } })
    expect.unreachable()
  } catch (error) {
    expect((error as AppError).code).toBe('workflow-invalid')
    expect((error as AppError).message.split('\n')).toEqual([
      'defineWorkflow("w"): steps.a.needs[0]: unknown step b (expected the id of another step under steps)',
      'defineWorkflow("w"): steps.a.command[1]: unknown input y (expected an input that the workflow declares)',
    ])
  }
})

describe('printWorkflow', () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 }).filter((each) => !each.includes('${{'))
  const source = fc.record({
    description: text,
    command: fc.array(text, { minLength: 1, maxLength: 4 }),
    prompt: text,
    priority: fc.integer({ min: 1, max: 10 }),
    json: fc
      .jsonValue({ maxDepth: 3 })
      .filter((json) => !JSON.stringify(json).includes('${{') && !JSON.stringify(json).includes('__proto__')),
  })

  test('what is printed reads as the same definition, byte for byte', () => {
    fc.assert(
      fc.property(source, ({ description, command, prompt, priority, json }) => {
        const definition = defineWorkflow({
          name: 'w',
          description,
          outputs: { json: json as never },
          steps: { a: { command, priority }, b: { agent: { prompt }, needs: ['a'] } },
        })
        const printed = printWorkflow(definition)
        const again = parseWorkflow(printed, 'again.yaml').definition
        expect(again).toEqual(definition)
        expect(hashDefinition(again)).toBe(hashDefinition(definition))
        expect(printWorkflow(again)).toBe(printed)
      }),
    )
  })
})

describe('hashDefinition', () => {
  test('does not depend on the order of keys, but on the order of steps', () => {
    const one = defineWorkflow({
      name: 'w',
      description: 'd',
      steps: { a: { command: ['x'], priority: 1 }, b: { command: ['y'] } },
    })
    const keys = defineWorkflow({
      steps: { a: { priority: 1, command: ['x'] }, b: { command: ['y'] } },
      description: 'd',
      name: 'w',
    })
    const order = defineWorkflow({
      name: 'w',
      description: 'd',
      steps: { b: { command: ['y'] }, a: { command: ['x'], priority: 1 } },
    })
    expect(hashDefinition(keys)).toBe(hashDefinition(one))
    expect(hashDefinition(order)).not.toBe(hashDefinition(one))
  })

  test('changes with any content', () => {
    const hashes = [
      small,
      { ...small, description: 'd' },
      { ...small, steps: { a: { command: ['y'] } } },
      { ...small, steps: { b: { command: ['x'] } } },
    ]
    expect(new Set(hashes.map((each) => hashDefinition(defineWorkflow(each)))).size).toBe(hashes.length)
    expect(hashDefinition(defineWorkflow(small))).toMatch(/^[0-9a-f]{64}$/)
  })
})
