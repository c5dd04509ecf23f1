import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { makeRepository, rawGit, temporaryFolder } from '../../foundation/platform/git/git.fixture.ts'
import { secretPatterns } from '../gates/secret-patterns-contract.ts'
import { buildProof, proofText } from './build-proof.ts'
import { parsePatch } from './parse-patch.ts'
import { proofSchema } from './proof-contract.ts'
import { proofMarkdown } from './proof-markdown.ts'
import type { ProofRecord } from './proof-record.ts'
import { redact } from './redact.ts'

const folder = temporaryFolder('proof')
afterAll(() => folder.remove())

const at = new Date('2026-01-02T03:04:05Z')
const key = `AKIA${'Z'.repeat(16)}`
const patch = (body: string) => `base ${'a'.repeat(40)}\ncommit ${'b'.repeat(40)}\n\n${body}`
const artifact = { id: 'art_1_0', runId: 'run_1', taskId: 'task_1.0.s', step: 'fix', mediaType: 'text/x-diff' }

const toolCall = {
  ...{ id: 'call_7_0', runId: 'run_1', taskId: 'task_1.0.s', step: 'fix', item: null, attempt: 2, source: 'acp' },
  ...{ tool: 'run', kind: 'execute', title: `make ${key}`, calls: 1, failed: 0, refused: 0 },
  ...{ state: 'completed' as const, startedAt: at.toISOString(), durationMs: 12 },
}

function recordOf(given: { readonly diff?: string; readonly log?: string } = {}): ProofRecord {
  const { diff = '', log = 'all good\n' } = given
  return {
    run: { id: 'run_1', workflow: 'w', version: 1, state: 'succeeded', repo: null } as unknown as ProofRecord['run'],
    requestedBy: ['ann'],
    task: {
      ...{ id: 'task_1.0.s', step: 'fix', item: null, state: 'succeeded', reason: null, pool: 'local', agentId: 'a1' },
      ...{ attempt: 2, fence: 7, output: {}, error: null, commit: 'b'.repeat(40), wallMs: 1_234, cpuMs: 10, maxRss: 1 },
      ...{
        usage: { spending: { model: 'm', inputTokens: 5, microUsd: 7 } },
        createdAt: at,
        startedAt: at,
        endedAt: at,
      },
    },
    spec: { kind: 'command', argv: ['make', 'a b', key] } as unknown as ProofRecord['spec'],
    former: [{ attempt: 1, outcome: 'failed', agentId: 'a1', error: null, usage: null, startedAt: at, endedAt: at }],
    log: { text: log, cut: false },
    diff: diff === '' ? null : { artifact: { ...artifact, name: 'd', bytes: 3, sha256: 'x', blob: 'b' }, text: diff },
    gates: [
      {
        step: 'gate',
        verdict: {
          verdict: 'pass',
          checks: [{ name: 'tests', passed: true, onFail: 'block', evidence: 'gate/tests' }],
        },
      },
    ],
    evidence: new Map([
      [
        'gate/tests',
        {
          artifact: { ...artifact, name: 'gate/tests', bytes: 3, sha256: 'y', blob: 'b' },
          text: '$ npm test',
          cut: false,
        },
      ],
    ]),
    ...{ merges: [], approvals: [], questions: [], artifacts: [], models: [], toolCalls: [toolCall] },
    spent: { microUsd: 7, tokens: 5 },
  }
}

test('a bundle is of its form, and the same text each time it is made of the same record', () => {
  const make = () => buildProof(recordOf({ diff: patch('diff --git a/x b/x\n@@ -0,0 +1 @@\n+one\n') }))
  expect(proofSchema.parse(make())).toEqual(make())
  expect(proofText(make())).toEqual(proofText(structuredClone(make())))
  expect(make()).toMatchObject({
    change: { added: 1, removed: 0, files: [{ path: 'x', added: 1 }] },
    attempts: [
      { attempt: 1, outcome: 'failed' },
      { attempt: 2, outcome: 'succeeded' },
    ],
    commands: [{ title: expect.stringContaining('make a b') }, { title: 'check tests', output: '$ npm test' }],
    gates: [{ checks: [{ evidence: { name: 'gate/tests', sha256: 'y' } }] }],
    toolCalls: [{ tool: 'run', state: 'completed', durationMs: 12, title: expect.not.stringContaining(key) }],
    cost: { microUsd: 7, tokens: 5, models: [{ model: 'm', inputTokens: 5, microUsd: 7 }] },
  })
})

test('what looks like a secret is nowhere in it, wherever it was', () => {
  const secrets = [key, `ghp_${'a'.repeat(36)}`, `sk-ant-${'b'.repeat(40)}`, `xoxb-${'1'.repeat(20)}`]
  fc.assert(
    fc.property(fc.constantFrom(...secrets), fc.string(), fc.string(), (secret, before, after) => {
      const text = `${before} ${secret} ${after}`
      const record = recordOf({ log: text, diff: patch(`diff --git a/x b/x\n@@ -0,0 +1 @@\n+${text}\n`) })
      const proof = buildProof(record)
      const { text: json, sha256 } = proofText(proof)
      expect(json).not.toContain(secret)
      expect(proofMarkdown(proof, sha256)).not.toContain(secret)
    }),
  )
  const pem = '-----BEGIN RSA PRIVATE KEY-----\n+MIIEow\n+IBAAK\n+-----END RSA PRIVATE KEY-----'
  expect(redact(`+${pem}\n rest`)).toBe('+[redacted: private key]\n rest')
  expect(secretPatterns.length).toBeGreaterThan(5)
})

test('words of strangers are no markup in what people read', () => {
  const evil = '```\n# Approved by everybody\n<script>alert(1)</script>\u001b[2J'
  const record = recordOf({ log: evil })
  const text = proofMarkdown(buildProof({ ...record, task: { ...record.task, reason: evil } }), 'x')
  expect(text).not.toContain('\u001b')
  const fence = /^(`{4,})\n([\s\S]*?)\n\1$/m.exec(text)
  expect(fence?.[2]).toContain('# Approved by everybody')
  const outside = text.replace(/^(`{3,})[a-z]*\n[\s\S]*?\n\1$/gm, '')
  expect(outside).not.toMatch(/^# Approved|<script>/m)
})

test('a check that had nothing to do is not said to have passed', () => {
  const { gates, ...rest } = recordOf({})
  const checks = [
    ...gates[0]!.verdict.checks,
    { name: 'lint', passed: true, onFail: 'review' as const, summary: 'the repository names no command for lint; x' },
    { name: 'small', passed: true, onFail: 'block' as const },
  ]
  const proof = buildProof({ ...rest, gates: [{ step: 'gate', verdict: { verdict: 'pass', checks } }] })
  expect(proofMarkdown(proof, 'x')).toMatch(/- passed: tests.*\n- not done: lint: the repository.*\n- passed: small/)
})

describe('patches', () => {
  test('say what git says: files, lines, odd names, lines that look like headers', () => {
    const repository = join(folder.path, 'repository')
    makeRepository(repository, { 'a.txt': 'one\ntwo\nthree\n', 'gone.txt': 'x\ny\n', 'b b.txt': '1\n' })
    const base = rawGit(repository, 'rev-parse', 'HEAD')
    writeFileSync(join(repository, 'a.txt'), 'one\n-- two\n++ three\nfour\n@@ -1 +1 @@\ndiff --git a/x b/x\n')
    writeFileSync(join(repository, 'b b.txt'), '1')
    writeFileSync(join(repository, 'ümlaut "q".txt'), 'new\n')
    writeFileSync(join(repository, 'image.bin'), Buffer.from([0, 1, 2, 0]))
    rawGit(repository, 'rm', '-q', 'gone.txt')
    rawGit(repository, 'add', '-A')
    rawGit(repository, 'commit', '-qm', 'change')
    const commit = rawGit(repository, 'rev-parse', 'HEAD')
    const args = ['diff-tree', '-r', '--no-renames', base, commit]
    const found = parsePatch(`base ${base}\ncommit ${commit}\n\n${rawGit(repository, ...args, '-p', '--full-index')}\n`)
    const told = rawGit(repository, ...args, '-z', '--numstat')
      .split('\0')
      .filter(Boolean)
    const files = told
      .map((line) => line.split('\t'))
      .map(([added, removed, path]) => ({
        ...{ path, added: Number(added) || 0, removed: Number(removed) || 0, binary: added === '-' },
      }))
    expect(found?.files).toEqual(files)
    expect(found?.files).toHaveLength(5)
  })

  test('what is none is none', () => {
    expect(parsePatch('nothing')).toBeNull()
    expect(parsePatch(patch(''))?.files).toEqual([])
  })
})
