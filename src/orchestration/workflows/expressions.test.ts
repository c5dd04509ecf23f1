import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../foundation/kernel/errors.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import {
  type EvaluationContext,
  evaluateCondition,
  evaluateJson,
  evaluateTemplate,
  evaluateText,
  secretIn,
} from './expressions.ts'
import { parseTemplate } from './template.ts'

const context: EvaluationContext = {
  inputs: { n: 3, name: 'Ada', list: [1, 2], nothing: null, x: 0.5 },
  steps: { a: { state: 'succeeded', outputs: { text: 'out' } } },
  run: { id: 'run_1', name: 'r', workflow: 'w', attempt: 1, state: 'running', startedAt: '2026-01-01T00:00:00.000Z' },
  repo: { path: '/repo', commit: 'abc', branch: 'main' },
  env: { GREETING: 'hello' },
  item: { name: 'file', value: { path: 'a b' }, index: 4 },
}

describe('evaluateTemplate', () => {
  test.each<[string, JsonValue]>([
    ['plain', 'plain'],
    ['', ''],
    ['$ { not } ${ this }', '$ { not } ${ this }'],
    ['${{ inputs.n }}', 3],
    ['${{inputs.list}}', [1, 2]],
    ['${{ inputs.nothing }}', null],
    [' ${{ inputs.n }}', ' 3'],
    ['${{ inputs.name }} is ${{ inputs.n }}', 'Ada is 3'],
    ['${{ inputs.list }}, ${{ inputs.nothing }}, ${{ true }}', '[1,2], , true'],
    ['${{ {"a": {"b": 1}} }}', { a: { b: 1 } }],
    ['${{ "}}" }}', '}}'],
    ["${{ '}}' + r'\\d' + 'it\\'s' }}", "}}\\dit's"],
    ['${{ "${{ nested }}" }}', '${{ nested }}'],
    ['${{ """a"}}""" }}', 'a"}}'],
    ['${{ steps.a.outputs.text }}/${{ run.id }}/${{ repo.branch }}/${{ env.GREETING }}', 'out/run_1/main/hello'],
    ['${{ file.path }}:${{ index }}', 'a b:4'],
  ])('%s', (text, expected) => {
    expect(evaluateTemplate(text, context)).toEqual(expected)
  })

  test('what an expression gives is never read as a template again', () => {
    const hostile = { ...context, inputs: { name: '${{ run.id }} ${{' } }
    expect(evaluateTemplate('<${{ inputs.name }}>', hostile)).toBe('<${{ run.id }} ${{>')
    expect(evaluateJson({ a: ['${{ inputs.name }}'] }, hostile)).toEqual({ a: ['${{ run.id }} ${{'] })
  })

  test('is total: any template and any value give a value or expression-failed', () => {
    const template = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('${{', '}}', ' inputs.v ', 'inputs.v', '"', "'", '{', '}', '+'),
      ),
    )
    fc.assert(
      fc.property(template, fc.jsonValue(), (parts, v) => {
        const values = { ...context, inputs: { v: v as JsonValue } }
        try {
          expect(typeof evaluateText(parts.join(''), values)).toBe('string')
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
          expect((error as AppError).code).toBe('expression-failed')
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('any text stands in a template as it is, between expressions', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, after) => {
        fc.pre(!`${before}|${after}`.includes('${{') && !before.endsWith('$'))
        expect(evaluateTemplate(`${before}\${{ inputs.n }}${after}!`, context)).toBe(`${before}3${after}!`)
      }),
    )
  })

  test('a text of more than a mebibyte is refused', () => {
    const big = { ...context, inputs: { big: 'x'.repeat(600_000) } }
    expect(() => evaluateTemplate('${{ inputs.big }}${{ inputs.big }}', big)).toThrow('longer than')
  })
})

describe('evaluateCondition', () => {
  test('takes true and false only', () => {
    expect(evaluateCondition('inputs.n == 3', context)).toBe(true)
    expect(() => evaluateCondition('inputs.name', context)).toThrow('expected true or false')
  })

  test('names the expression when it fails', () => {
    expect(() => evaluateCondition('inputs.missing > 1', context)).toThrow('inputs.missing > 1: No such key: missing')
  })
})

test.each([
  ['${{ secrets.KEY }}', 'KEY'],
  [' ${{secrets.A_1}} ', 'A_1'],
  ['x${{ secrets.KEY }}', null],
  ['${{ secrets.KEY + "" }}', null],
  ['${{ secrets["KEY"] }}', null],
  ['secrets.KEY', null],
])('secretIn(%s)', (text, name) => {
  expect(secretIn(text)).toBe(name)
})

test('a segment tells where its CEL begins', () => {
  const text = 'ab ${{   x + 1 }} ${{y}}'
  const parsed = parseTemplate(text)
  if (!parsed.ok) throw new Error(parsed.message)
  for (const segment of parsed.segments) {
    if (segment.kind === 'expression') expect(text.startsWith(segment.source, segment.at)).toBe(true)
  }
  expect(parsed.segments).toHaveLength(4)
})
