import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import { parseWorkflow } from './parse-workflow.ts'
import { referencedSteps } from './referenced-steps.ts'
import { evaluateIf, eventMatches, resolveItem, resolveOnEnd, resolveOutputs, resolveStep } from './resolve-step.ts'
import type { ExpressionContext, StepView } from './task-contract.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'

const run = {
  id: 'run_1',
  name: 'r',
  workflow: 'w',
  attempt: 1,
  state: 'running',
  startedAt: '2026-01-01T00:00:00.000Z',
}
const repo = { path: '/repo', commit: 'abc', branch: 'main' }

function contextOf(inputs: JsonObject = {}, steps: Record<string, StepView> = {}): ExpressionContext {
  return { inputs, steps, run, repo }
}

function read(...lines: string[]): WorkflowDefinition {
  return parseWorkflow(['name: w', ...lines].join('\n'), 'w.yaml').definition
}

const ended = (outputs: JsonObject, state = 'succeeded'): StepView => ({ state, outputs })

describe('values', () => {
  const definition = read(
    'inputs: {v: {type: json}}',
    'env: {WHOLE: "${{ inputs.v }}"}',
    'steps:',
    '  c: {command: [prog, "${{ inputs.v }}", "--flag=${{ inputs.v }}", "a b"], env: {MIX: "<${{ inputs.v }}>"}, stdin: "${{ inputs.v }}"}',
    '  s: {script: "echo \\"$V\\"", env: {V: "${{ inputs.v }}"}}',
  )
  const text = fc.string({ unit: 'binary' }).filter((each) => !each.includes('\0'))
  const nasty = fc.oneof(
    text,
    fc.constantFrom(
      '$(touch x)',
      '`id`',
      '; rm -rf /',
      '" "',
      "' '",
      '\n',
      '-rf',
      '${{ run.id }}',
      '*',
      '$HOME',
      '|',
      '&&',
      '\\',
    ),
  )

  test('stay one argument and one variable each, whatever they hold', () => {
    fc.assert(
      fc.property(nasty, (v) => {
        const task = resolveStep(definition, 'c', contextOf({ v }))
        expect(task).toMatchObject({
          argv: ['prog', v, `--flag=${v}`, 'a b'],
          env: { WHOLE: v, MIX: `<${v}>` },
          stdin: v,
        })
      }),
    )
  })

  test('never change the text of a script', () => {
    fc.assert(
      fc.property(nasty, (v) => {
        const task = resolveStep(definition, 's', contextOf({ v }))
        expect(task).toMatchObject({ script: 'echo "$V"', interpreter: ['bash', '-eu'], env: { V: v } })
      }),
    )
  })

  test('that are no text become JSON, null nothing', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: true }).map((json) => JSON.parse(JSON.stringify(json)) as JsonValue),
        (v) => {
          fc.pre(!JSON.stringify(v).includes('\\u0000'))
          const task = resolveStep(definition, 'c', contextOf({ v }))
          const expected = v === null ? '' : typeof v === 'string' ? v : JSON.stringify(v)
          expect(task.kind === 'command' && task.argv[1]).toBe(expected)
        },
      ),
    )
  })

  test('with a NUL character are refused: the system would cut them', () => {
    expect(() => resolveStep(definition, 'c', contextOf({ v: 'a\0b' }))).toThrow('NUL')
    expect(() => resolveStep(definition, 's', contextOf({ v: 'a\0b' }))).toThrow('NUL')
  })
})

describe('secrets', () => {
  const definition = read(
    'env: {A: "${{ secrets.ONE }}", B: plain}',
    'steps:',
    '  c: {command: [x], env: {B: "${{ secrets.TWO }}", C: "${{ env.B }}"}}',
    '  d: {command: [x], env: {A: plain}}',
    '  e: {agent: {prompt: x, config: {key: "${{ secrets.THREE }}", model: m}}}',
  )

  test('stay names, and the nearer value wins', () => {
    expect(resolveStep(definition, 'c', contextOf())).toMatchObject({
      env: { C: 'plain' },
      secretEnv: { A: 'ONE', B: 'TWO' },
    })
    const plain = resolveStep(definition, 'd', contextOf())
    expect(plain).toMatchObject({ env: { A: 'plain', B: 'plain' }, secretEnv: {} })
    expect(resolveStep(definition, 'e', contextOf())).toMatchObject({
      config: { model: 'm' },
      secretConfig: { key: 'THREE' },
    })
  })
})

describe('policies', () => {
  test('come from the step, then the workflow, then the defaults', () => {
    const definition = read(
      'defaults: {timeout: 2m, pool: big, retry: {attempts: 3}, resources: {cpu: 2}, priority: 7, workspace: worktree}',
      'steps:',
      '  a: {command: [x]}',
      '  b: {command: [x], timeout: 5s, pool: small, priority: 1, workspace: none, resources: {memory: 1GB},',
      '      retry: {attempts: 2, backoff: {initial: 10ms, factor: 3, max: 1s, jitter: 0}, on: [75, timeout]}}',
    )
    expect(resolveStep(definition, 'a', contextOf())).toMatchObject({
      timeoutMs: 120_000,
      pool: 'big',
      priority: 7,
      workspace: 'worktree',
      retry: { attempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 300_000, jitter: 0.2 } },
      resources: { cpuCores: 2, memoryBytes: 512 * 1_048_576, diskBytes: 1_073_741_824, networkMbps: 10 },
    })
    expect(resolveStep(definition, 'b', contextOf())).toMatchObject({
      timeoutMs: 5_000,
      pool: 'small',
      priority: 1,
      workspace: 'none',
      retry: { attempts: 2, backoff: { initialMs: 10, factor: 3, maxMs: 1_000, jitter: 0 }, on: [75, 'timeout'] },
      resources: { cpuCores: 2, memoryBytes: 1_073_741_824 },
    })
  })

  test.each([
    ['standard', 600_000, 1_000_000],
    ['deep', 1_800_000, 5_000_000],
    ['ultrathink', 7_200_000, 20_000_000],
  ])('depth %s sets time, budget and label', (depth, timeoutMs, microUsd) => {
    const definition = read('steps:', `  a: {agent: {prompt: x, depth: ${depth}}, budget: {tokens: 5}}`)
    expect(resolveStep(definition, 'a', contextOf())).toMatchObject({
      depth,
      timeoutMs,
      budget: { microUsd, tokens: 5 },
      labels: { depth },
    })
  })

  test('a depth that is asked for outweighs the general timeout, not that of the step', () => {
    const definition = read(
      'defaults: {timeout: 1m}',
      'steps:',
      '  a: {agent: {prompt: x, depth: deep}}',
      '  b: {agent: {prompt: x, depth: deep}, timeout: 7s}',
      '  c: {agent: x}',
    )
    const timeouts = ['a', 'b', 'c'].map((id) => resolveStep(definition, id, contextOf()).timeoutMs)
    expect(timeouts).toEqual([1_800_000, 7_000, 60_000])
  })
})

describe('map', () => {
  const definition = read(
    'inputs: {items: {type: json}}',
    'steps:',
    '  m:',
    '    priority: 9',
    '    labels: {team: a}',
    '    map: {over: "${{ inputs.items }}", as: file, tolerate: 50%, step: {if: file != "skip", command: [x, "${{ file }}", "${{ index }}"], labels: {kind: b}}}',
    '  fixed: {map: {over: [a, "${{ inputs.items }}"], step: {command: ["${{ item }}"]}}}',
  )
  const item = (value: JsonValue, index = 0) => ({ ...contextOf({ items: [] }), item: { name: 'file', value, index } })

  test('gives its items, of a list or of the keys of a map', () => {
    expect(resolveStep(definition, 'm', contextOf({ items: ['b', 'a', 1] }))).toMatchObject({
      kind: 'map',
      items: ['b', 'a', 1],
      tolerate: 1,
    })
    expect(resolveStep(definition, 'm', contextOf({ items: { b: 1, a: 2 } }))).toMatchObject({ items: ['a', 'b'] })
    expect(resolveStep(definition, 'fixed', contextOf({ items: [1] }))).toMatchObject({ items: ['a', [1]], as: 'item' })
  })

  test('refuses what is no list, and a list that is too long', () => {
    expect(() => resolveStep(definition, 'm', contextOf({ items: 'text' }))).toThrow('expected a list')
    expect(() => resolveStep(definition, 'm', contextOf({ items: Array(10_001).fill(1) }))).toThrow('at most 10000')
  })

  test('resolves each item, with the priority and labels of the map', () => {
    expect(evaluateIf(definition, 'm', item('skip'))).toBe(false)
    expect(evaluateIf(definition, 'm', item('a b'))).toBe(true)
    expect(resolveItem(definition, 'm', item('a b', 3))).toMatchObject({
      kind: 'command',
      stepId: 'm',
      argv: ['x', 'a b', '3'],
      priority: 9,
      labels: { team: 'a', kind: 'b' },
    })
  })
})

describe('what a step did not give', () => {
  const definition = read(
    'steps:',
    '  a: {command: [x], outputs: {o: stdout}}',
    '  m: {map: {over: [1], step: {command: [x], outputs: {o: stdout}}}}',
    '  b: {command: ["${{ steps.a.outputs.o }}", "${{ steps.m.outputs.o }}"], needs: [a, m], if: steps.a.outputs.o == null}',
  )

  test('is null, and an empty list of a map', () => {
    const context = contextOf({}, { a: ended({}, 'skipped'), m: ended({}, 'skipped') })
    expect(evaluateIf(definition, 'b', context)).toBe(true)
    expect(resolveStep(definition, 'b', context)).toMatchObject({ argv: ['', '[]'] })
  })

  test('does not hide what it gave', () => {
    const context = contextOf({}, { a: ended({ o: 'out' }), m: ended({ o: ['1', null] }) })
    expect(evaluateIf(definition, 'b', context)).toBe(false)
    expect(resolveStep(definition, 'b', context)).toMatchObject({ argv: ['out', '["1",null]'] })
  })
})

describe('other steps', () => {
  const definition = read(
    'inputs: {n: {type: number}}',
    'steps:',
    '  ok: {approval: {message: "n is ${{ inputs.n }}", who: [lead], deadline: 2h, default: approve}}',
    '  g: {gate: {onFail: review, checks: [{name: c, condition: inputs.n > 3}, {name: x, command: [t, "${{ inputs.n }}"], onFail: block}]}}',
    '  t: {wait: {for: 90s}}',
    '  e: {needs: g, wait: {event: pr.merged, match: "event.pr == inputs.n && steps.g.outputs.verdict == \\"allow\\""}}',
    '  w: {workflow: {name: other, inputs: {list: ["${{ inputs.n }}", {deep: "<${{ inputs.n }}>"}]}}, concurrency: {key: "k-${{ inputs.n }}"}}',
    'outputs: {sum: "${{ inputs.n + 1 }}", all: {state: "${{ run.state }}"}}',
    'onEnd: [notify, "${{ run.state }}"]',
  )
  const context = contextOf({ n: 5 }, { g: ended({ verdict: 'allow' }), ok: ended({ decision: 'approved' }) })

  test('resolve to what they wait for', () => {
    expect(resolveStep(definition, 'ok', context)).toMatchObject({
      message: 'n is 5',
      who: ['lead'],
      deadlineMs: 7_200_000,
      default: 'approve',
      timeoutMs: null,
    })
    expect(resolveStep(definition, 'g', context)).toMatchObject({
      checks: [
        { name: 'c', onFail: 'review', passed: true },
        { name: 'x', onFail: 'block', argv: ['t', '5'] },
      ],
    })
    expect(resolveStep(definition, 't', context)).toMatchObject({ for: { ms: 90_000 } })
    expect(resolveStep(definition, 'w', context)).toMatchObject({
      workflow: 'other',
      inputs: { list: [5, { deep: '<5>' }] },
      concurrency: { key: 'k-5', limit: 1 },
    })
  })

  test('a wait carries what its condition reads, through JSON, and no more', () => {
    const task = resolveStep(definition, 'e', context)
    if (task.kind !== 'wait' || !('event' in task.for)) throw new Error('no wait for an event')
    const stored = JSON.parse(JSON.stringify(task.for)) as typeof task.for
    expect(Object.keys(stored.context).sort()).toEqual(['inputs', 'steps'])
    expect(Object.keys(stored.context.steps as JsonObject)).toEqual(['g'])
    expect(eventMatches(stored, { pr: 5 })).toBe(true)
    expect(eventMatches(stored, { pr: 6 })).toBe(false)
  })

  test('results, the end, and which steps are read', () => {
    expect(resolveOutputs(definition, context)).toEqual({ sum: 6, all: { state: 'running' } })
    expect(resolveOnEnd(definition, context)).toEqual(['notify', 'running'])
    expect([...referencedSteps(definition, 'e')]).toEqual(['g'])
    expect([...referencedSteps(definition, null)]).toEqual([])
  })

  test('every resolved task is plain JSON', () => {
    for (const id of Object.keys(definition.steps)) {
      const task = resolveStep(definition, id, context)
      expect(JSON.parse(JSON.stringify(task))).toEqual(task)
    }
  })
})
