import picocolors from 'picocolors'
import { expect, test } from 'vitest'
import type { Proof } from '../../orchestration/proofs/proof-contract.ts'
import { proofLines } from './proof-lines.ts'

test('a check that had nothing to do is not shown as passed', () => {
  const check = { passed: true, onFail: 'block', summary: '', evidence: null }
  const checks = [
    { ...check, name: 'tests', summary: 'make test', evidence: { name: 'gate/tests', id: 'a', sha256: 'y' } },
    { ...check, name: 'lint', summary: 'the repository names no command for lint; give the check one: command: [...]' },
    { ...check, name: 'size', passed: false, summary: '501 lines' },
    { ...check, name: 'small' },
  ]
  const proof = {
    task: { id: 't', step: 'work', item: null, state: 'succeeded', reason: null, agent: null, pool: 'p' },
    time: { wallSeconds: 1, cpuSeconds: null, maxRssBytes: null },
    cost: { microUsd: null, tokens: null, models: [] },
    ...{ attempts: [], change: null, commands: [], merges: [], approvals: [], questions: [], toolCalls: [] },
    gates: [{ step: 'gate', verdict: 'review', checks }],
  } as unknown as Proof
  const colors = picocolors.createColors(false)
  const lines = proofLines({ proof, sha256: 'x', artifact: null }, { colors, full: false })
  expect(lines.join('\n')).toContain(
    'gate: review  ✔ tests  – lint (the repository names no command for lint)  ✘ size (501 lines)  ✔ small',
  )
})
