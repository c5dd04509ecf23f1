import { expect, test } from 'vitest'
import type { ResolvedCheck, ResolvedGate } from '../workflows/task-contract.ts'
import { failedChecks, failureText, gateVerdict } from './gate-verdict-contract.ts'

type OnFail = 'block' | 'review' | 'allow'

function gate(...checks: ResolvedCheck[]): ResolvedGate {
  return { kind: 'gate', checks } as unknown as ResolvedGate
}
const condition = (name: string, passed: boolean, onFail: OnFail): ResolvedCheck => ({ name, passed, onFail })
const command = (name: string, onFail: OnFail): ResolvedCheck => ({ name, argv: [name], onFail })

test.each([
  ['allow', 'pass'],
  ['review', 'review'],
  ['block', 'block'],
] as const)('a failed check with onFail %s gives %s; one that passed gives pass', (onFail, verdict) => {
  expect(gateVerdict(gate(condition('a', false, onFail)), null).verdict).toBe(verdict)
  expect(gateVerdict(gate(condition('a', true, onFail)), null).verdict).toBe('pass')
})

test('the gravest of several counts', () => {
  const three = [condition('a', false, 'allow'), condition('b', false, 'review'), condition('c', false, 'block')]
  expect(gateVerdict(gate(...three), null).verdict).toBe('block')
  expect(gateVerdict(gate(...three.slice(0, 2)), null).verdict).toBe('review')
  expect(gateVerdict(gate(...three.slice(0, 2), condition('c', true, 'block')), null).verdict).toBe('review')
})

test('what commands report counts by name; those that are missing, or not exactly true, have failed', () => {
  const checks = ['a', 'b', 'c', 'd'].map((name) => command(name, 'block'))
  const output = {
    checks: [
      { name: 'b', passed: true },
      { name: 'a', passed: false },
      { name: 'd', passed: 'yes' },
    ],
  }
  const verdict = gateVerdict(gate(...checks), output)
  expect(verdict.checks).toEqual([
    { name: 'a', onFail: 'block', passed: false },
    { name: 'b', onFail: 'block', passed: true },
    { name: 'c', onFail: 'block', passed: false },
    { name: 'd', onFail: 'block', passed: false },
  ])
  expect(failedChecks(verdict)).toBe('a, c, d')
})

test.each([null, {}, { checks: 'none' }, []])('a report of %j says nothing', (output) => {
  expect(gateVerdict(gate(command('a', 'review')), output)).toMatchObject({ verdict: 'review' })
})

test('a condition does not listen to what commands report', () => {
  const output = { checks: [{ name: 'a', passed: true }] }
  expect(gateVerdict(gate(condition('a', false, 'block')), output).verdict).toBe('block')
})

test('people are told what each failure came to', () => {
  const output = { checks: [{ name: 'tests', passed: false, summary: 'npm run test: exit code 1' }] }
  const verdict = gateVerdict(gate(command('tests', 'block'), condition('small', false, 'block')), output)
  expect(failureText(verdict)).toBe('tests (npm run test: exit code 1), small')
})
