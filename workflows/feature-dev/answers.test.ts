import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judge } from './judge.ts'
import { readPlan } from './plan.ts'
import { jsonIn } from './read-answer.ts'
import { describeFeature } from './report.ts'

test.each([
  ['fenced', 'I did.\n```json\n{"a": 1}\n```\n', { a: 1 }],
  ['the last of several', '```json\n{"a": 1}\n```\nno:\n```json\n{"a": 2}\n```', { a: 2 }],
  ['bare, with braces in it', 'So: {"a": {"b": "}"}} is it', { a: { b: '}' } }],
  ['bare, at the end', 'So: {"a": {"b": 2}}', { a: { b: 2 } }],
  ['nothing', 'no JSON at all', null],
  ['a list is no object', '```json\n[1]\n```', null],
])('an answer is read: %s', (_, said, value) => {
  expect(jsonIn(said)).toEqual(value)
})

test('whatever an agent says, reading it ends and gives an object or nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('{', '}', '"', 'a', ':', '1', '`', '\n', ',') }), (said) => {
      const value = jsonIn(said)
      expect(value === null || (typeof value === 'object' && !Array.isArray(value))).toBe(true)
    }),
  )
})

test('a plan: given, told, or the task itself', () => {
  expect(readPlan('t', ['one', { task: 'two', persona: 'frontend', paths: ['a', 3] }], '').parts).toEqual([
    { title: 'one', task: 'one', persona: 'backend', paths: [] },
    { title: 'two', task: 'two', persona: 'frontend', paths: ['a'] },
  ])
  expect(readPlan('t', null, '{"parts":[{"task":"x","persona":"root"}]}').parts).toMatchObject([{ persona: 'backend' }])
  expect(readPlan('do it\nwell', null, 'I cannot').parts).toEqual([
    { title: 'do it', task: 'do it\nwell', persona: 'backend', paths: [] },
  ])
  expect(() => readPlan('t', [], '')).toThrow(/at least one task/)
})

const approve = '{"verdict":"approve","confidence":0.8}'

test.each([
  ['all approve', { reviews: [approve, approve] }, true, ''],
  [
    'one asks for changes',
    { reviews: [approve, '{"verdict":"changes","comments":"a.js:1: no"}'] },
    false,
    'a.js:1: no',
  ],
  ['one says nothing that can be read', { reviews: [approve, 'looks good!'] }, false, 'looks good!'],
  ['one is missing', { reviews: [approve] }, false, 'no verdict'],
  ['nothing was changed', { changed: false }, false, 'Nothing was changed'],
  [
    'the gate is closed',
    { gate: { verdict: 'block', checks: [{ name: 'tests', passed: false, summary: 's', excerpt: 'boom' }] } },
    false,
    'boom',
  ],
  ['there is no gate at all', { gate: null }, false, 'could not be done'],
])('a piece of work is judged: %s', (_, given, accepted, told) => {
  const judged = judge({
    gate: { verdict: 'pass' },
    reviewers: ['reviewer', 'validator'],
    reviews: [approve, approve],
    changed: true,
    ...given,
  })
  expect(judged.accepted).toBe(accepted)
  expect(judged.feedback).toContain(told)
})

test('the report tells rounds, reviews and that there were no tests', () => {
  const { markdown, summary } = describeFeature({
    ...{
      task: 'A <b>task</b>',
      repository: '/r',
      commit: 'a'.repeat(40),
      into: 'main',
      note: 'n',
      depth: 'deep',
      tests: false,
    },
    parts: [{ title: 'P', task: 'p', persona: 'backend', paths: [] }],
    ...{ reviewers: ['reviewer'], commits: ['b'.repeat(40)], rounds: [3], confidence: [null], approvedBy: null },
    ...{
      reviews: [[{ reviewer: 'reviewer', verdict: 'approve', comments: '' }]],
      merged: ['c'.repeat(40)],
      tries: [2],
    },
  })
  expect(markdown).toContain('A &lt;b&gt;task')
  expect(markdown).toContain('| P | backend | 3 | not told |')
  expect(summary.join('\n')).toMatch(/2 hand-backs[\s\S]*no tests/)
})

test('of a run that did not get to its end the report tells what the parts came to', () => {
  const part = { task: 'p', persona: 'backend', paths: [] }
  const { markdown, summary } = describeFeature({
    ...{ task: 'Both', repository: '/r', commit: 'a'.repeat(40), into: 'main', note: 'n', depth: 'deep', tests: true },
    parts: [
      { title: 'Done', ...part },
      { title: 'Open', ...part },
    ],
    ...{ reviewers: ['reviewer'], commits: ['b'.repeat(40), null], rounds: [1, null], confidence: [0.9, null] },
    ...{ reviews: [[], null], merged: null, tries: null, approvedBy: null, state: 'failed' },
  })
  expect(markdown).toContain('0 of 2 parts merged into `main`')
  expect(markdown).toContain('did not get to its end')
  expect(markdown).toContain(`| Done | backend | 1 | 90 % | \`${'b'.repeat(12)}\` | \`none\` |`)
  expect(summary[0]).toBe('0 of 2 parts merged into main.')
})
