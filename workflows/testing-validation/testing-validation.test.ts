import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { runWork } from '../kit/work-program.ts'
import { coverage } from './coverage.ts'
import { findingsOf, judgeRuns, type TestRun } from './judge-runs.ts'
import { readResults } from './read-results.ts'
import { tests } from './tests.ts'

const root = mkdtempSync(join(tmpdir(), 'testing-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function folder(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name, file)), { recursive: true })
    writeFileSync(join(root, name, file), text)
  }
  return join(root, name)
}

describe('what tools print', () => {
  test.each([
    [
      'TAP',
      'TAP version 13\n# Subtest: adds\nok 1 - adds\n  ---\n  duration_ms: 2.5\n  ...\nnot ok 2 - fails\n',
      'adds 2.5 +|fails null -',
    ],
    ['TAP, skipped', 'ok 1 - later # SKIP\n', ''],
    [
      'Node',
      '▶ group\n  ✔ adds (12.5ms)\n  ✖ fails (1.2ms)\n▶ group (14ms)\n✖ failing tests:\n✖ fails (1.2ms)\n',
      'group > adds 12.5 +|group > fails 1.2 -',
    ],
    ['Vitest and Jest', ' ✓ src/a.test.ts > adds 1.5s\n   × fails 3 ms\n', 'src/a.test.ts > adds 1500 +|fails 3 -'],
    [
      'Mocha',
      '  group\n    ✔ adds (30ms)\n    1) fails\n\n  1 passing (40ms)\n  1 failing\n\n  1) group\n       fails:\n',
      'adds 30 +|fails null -',
    ],
    [
      'pytest',
      'PASSED tests/test_a.py::test_b\nFAILED tests/test_a.py::test_c - assert 1\n0.50s call     tests/test_a.py::test_b\n0.25s setup    tests/test_a.py::test_b\n',
      'tests/test_a.py::test_b 750 +|tests/test_a.py::test_c null -',
    ],
    [
      'unittest',
      'test_a (m.T.test_a) ... ok\ntest_b (m.T.test_b) ... FAIL\n',
      'test_a (m.T.test_a) null +|test_b (m.T.test_b) null -',
    ],
    ['Go', '=== RUN   TestA\n--- PASS: TestA (0.02s)\n    --- FAIL: TestB/x (1.00s)\n', 'TestA 20 +|TestB/x 1000 -'],
    ['cargo', 'test a::b ... ok\ntest a::c ... FAILED\n', 'a::b null +|a::c null -'],
    [
      'Surefire',
      'Tests run: 3, Failures: 0, Errors: 1, Skipped: 0, Time elapsed: 1.5 s <<< ERROR! - in com.A\n',
      'com.A 1500 -',
    ],
    ['nothing', 'all good\n', ''],
  ])('%s', (_, output, told) => {
    const shown = readResults(output).map(({ name, ms, passed }) => `${name} ${ms} ${passed ? '+' : '-'}`)
    expect(shown.join('|')).toBe(told)
  })

  test('what is printed as TAP, and as Go prints it, is read back', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'B', '0', '_', '/', '.'), minLength: 1 })
    const outcomes = fc.uniqueArray(fc.record({ name, passed: fc.boolean(), ms: fc.nat(100_000) }), {
      selector: (one) => one.name,
    })
    fc.assert(
      fc.property(outcomes, (all) => {
        const tap = all.map(
          (one, at) =>
            `${one.passed ? '' : 'not '}ok ${at + 1} - ${one.name}\n  ---\n  duration_ms: ${one.ms}\n  ...\n`,
        )
        const go = all.map((one) => `--- ${one.passed ? 'PASS' : 'FAIL'}: ${one.name} (${one.ms / 1_000}s)\n`)
        const rounded = (output: string) => readResults(output).map((one) => ({ ...one, ms: Math.round(one.ms!) }))
        expect(rounded(tap.join(''))).toEqual(all)
        expect(rounded(go.join(''))).toEqual(all)
      }),
    )
  })
})

const run = (
  outcomes: Readonly<Record<string, boolean>>,
  exitCode = Object.values(outcomes).every(Boolean) ? 0 : 1,
): TestRun => ({
  ...{ exitCode, ms: 10, end: '', tail: '' },
  tests: Object.entries(outcomes).map(([name, passed]) => ({ name, passed, ms: 1 })),
})

test('flaky is what passed and failed; failing what never passed; no test is both', () => {
  const outcome = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.boolean())
  fc.assert(
    fc.property(fc.array(outcome, { minLength: 1, maxLength: 6 }), (all) => {
      const verdict = judgeRuns(all.map((each) => run(each)))
      for (const name of ['a', 'b', 'c']) {
        const seen = new Set(all.flatMap((each) => (Object.hasOwn(each, name) ? [each[name]] : [])))
        expect(verdict.flaky.some((one) => one.name === name)).toBe(seen.size === 2)
        expect(verdict.failing.includes(name)).toBe(seen.size === 1 && seen.has(false))
      }
    }),
  )
})

test('a failure that names no test is told all the same', () => {
  const runs = [run({}, 1), run({}, 0)]
  expect(findingsOf(judgeRuns(runs), runs, 'make test')).toMatchObject([{ title: 'The tests pass in 1 of 2 runs' }])
})

test('real runs of a real repository: a flaky test by name', async () => {
  const dir = folder('flaky', {
    'package.json': JSON.stringify({
      scripts: { test: 'node --test', coverage: 'node -e "console.log(\'TOTAL 10 4 55%\')"' },
    }),
    'odd name.test.js': `const { test } = require('node:test'); const fs = require('fs')
const count = fs.existsSync('count') ? Number(fs.readFileSync('count')) : 0
fs.writeFileSync('count', String(count + 1))
test('steady', () => {}); test('sometimes', () => { if (count % 2) throw new Error('no') })\n`,
  })
  const result = await runWork(tests, ['--dir', dir, '--runs', '3'])
  expect(result.facts).toMatchObject({
    runs: 3,
    passed: 2,
    tests: 2,
    flaky: [{ name: 'sometimes', passed: 2, failed: 1 }],
  })
  expect(result.sections[0]!.markdown).toContain('| 2 | failed with exit code 1')
  expect((await runWork(coverage, ['--dir', dir])).findings).toMatchObject([{ id: 'coverage/low', score: 65 }])
})

test('a repository without tests, and one whose dependencies cannot be had', async () => {
  expect((await runWork(tests, ['--dir', folder('bare', { 'README.md': '' })])).findings).toMatchObject([
    { id: 'tests/none' },
  ])
  const manifest = { scripts: { test: 'true' }, dependencies: { x: 'file:./nowhere' } }
  const dir = folder('broken', { 'package.json': JSON.stringify(manifest), 'package-lock.json': '{}' })
  expect((await runWork(tests, ['--dir', dir])).findings).toMatchObject([{ id: 'tests/setup' }])
  const hollow = folder('hollow', { 'package.json': JSON.stringify({ scripts: { test: 'echo "# tests 0"' } }) })
  expect((await runWork(tests, ['--dir', hollow, '--runs', '1'])).findings).toMatchObject([{ id: 'tests/empty' }])
  const named = await runWork(tests, ['--dir', folder('bare', {}), '--command', '["no-such-program"]', '--runs', '3'])
  expect(named.findings[0]!.evidence[0]).toContain('could not be started')
})
