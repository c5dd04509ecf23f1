import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { ArtifactMap, isArtifactValue } from './artifact-value.ts'
import {
  type EvaluationContext,
  evaluateCondition,
  evaluateJson,
  evaluateTemplate,
  evaluateText,
} from './expressions.ts'
import { parseWorkflow } from './parse-workflow.ts'
import { resolveStep } from './resolve-step.ts'

const large = { artifact: 'rows.json', bytes: 200_000, sha256: 'ab' }
const context: EvaluationContext = {
  inputs: {},
  steps: { a: { state: 'succeeded', outputs: { rows: large, each: ['small', large] } } },
  run: { id: 'run_1', name: 'r', workflow: 'w', attempt: 1, state: 'running', startedAt: '2026-01-01T00:00:00.000Z' },
  repo: { path: '/repo', commit: 'abc', branch: 'main' },
}
const why = /"rows\.json" \(200000 bytes\) is kept as an artifact.*only \.artifact, \.bytes and \.sha256/

describe('an output that is kept as an artifact', () => {
  test.each<[string, JsonValue]>([
    ['${{ steps.a.outputs.rows }}', large],
    ['${{ steps.a.outputs }}', { rows: large, each: ['small', large] }],
    ['${{ steps.a.outputs.rows.bytes }}', 200_000],
    ['${{ steps.a.outputs.rows["artifact"] }}', 'rows.json'],
    ['kept as ${{ steps.a.outputs.rows.artifact }}', 'kept as rows.json'],
    ['${{ type(steps.a.outputs.rows) == string }}', false],
    ['${{ type(steps.a.outputs.rows) == map ? steps.a.outputs.rows.bytes : size(steps.a.outputs.rows) }}', 200_000],
    ['${{ steps.a.outputs.rows == null }}', false],
    ['${{ has(steps.a.outputs.rows) }}', true],
    ['${{ steps.a.outputs.each.filter(x, type(x) == string) }}', ['small']],
    ['${{ steps.a.outputs.each.map(x, type(x) == string ? x : x.artifact) }}', ['small', 'rows.json']],
  ])('%s is %j', (template, value) => {
    expect(evaluateTemplate(template, context)).toEqual(value)
  })

  test.each([
    'steps.a.outputs.rows.items',
    'steps.a.outputs.rows[0]',
    'has(steps.a.outputs.rows.items)',
    'size(steps.a.outputs.rows) > 0',
    'steps.a.outputs.rows.size() > 0',
    '"x" in steps.a.outputs.rows',
    'steps.a.outputs.rows.exists(x, x == "bytes")',
    'steps.a.outputs.rows.map(x, x)',
    'steps.a.outputs.rows == {"artifact": "rows.json"}',
  ])('%s fails, and says why', (source) => {
    expect(() => evaluateTemplate(`\${{ ${source} }}`, context)).toThrow(why)
    expect(() => evaluateCondition(source, context)).toThrow(why)
  })

  test('is never written out as text, nor taken for a condition or a list', () => {
    expect(() => evaluateTemplate('rows: ${{ steps.a.outputs.rows }}', context)).toThrow(why)
    expect(() => evaluateText('${{ steps.a.outputs.rows }}', context)).toThrow(why)
    expect(() => evaluateCondition('steps.a.outputs.rows', context)).toThrow(why)
    expect(evaluateJson({ pass: '${{ steps.a.outputs.rows }}' }, context)).toEqual({ pass: large })
    const { definition } = parseWorkflow(
      [
        'name: w',
        'steps:',
        '  a: { command: [x], outputs: { rows: json } }',
        '  b: { needs: a, command: [x], stdin: "${{ steps.a.outputs.rows }}" }',
        '  c: { needs: a, map: { over: "${{ steps.a.outputs.rows }}", step: { command: [x] } } }',
      ].join('\n'),
      'w.yaml',
    )
    for (const step of ['b', 'c']) expect(() => resolveStep(definition, step, context)).toThrow(why)
  })

  test('survives expressions unchanged, wherever it lies in a value', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.integer(),
        fc.record({ artifact: fc.string(), bytes: fc.nat(), sha256: fc.string() }),
        fc.array(tie('any'), { maxLength: 3 }),
      ),
    })).any as fc.Arbitrary<JsonValue>
    fc.assert(
      fc.property(value, (v) => {
        const steps = { a: { state: 'succeeded' as const, outputs: { v } } }
        expect(evaluateTemplate('${{ steps.a.outputs.v }}', { ...context, steps })).toEqual(v)
      }),
    )
  })

  test('is told by its three keys alone', () => {
    for (const other of [
      null,
      'x',
      [],
      {},
      { artifact: 'x', bytes: 1 },
      { ...large, more: 1 },
      { ...large, bytes: '1' },
    ])
      expect(isArtifactValue(other as JsonValue)).toBe(false)
    expect(() => new ArtifactMap(large).get('toString')).toThrow(why)
  })
})
