import { afterEach, beforeEach, expect, it } from 'vitest'
import { rawGit } from '../../foundation/platform/git/git.fixture.ts'
import { check, type GateKit, openGateKit } from './gate-kit.fixture.ts'

let kit: GateKit['kit']
let repository: string
let first: string
let commitAs: GateKit['commitAs']
let gate: GateKit['gate']
let gateFrom: GateKit['gateFrom']

const passing = "require('node:assert').equal(require('./sum.js')(1, 2), 3)\nconsole.log('ran the tests')\n"
const manifest = {
  scripts: {
    test: 'node check.js',
    lint: 'node -e "process.exit(3)"',
    coverage: `node -e "console.log('All files | 70 | 70 | 70 | 72.5 |')"`,
  },
}

beforeEach(() => {
  ;({ kit, repository, first, commitAs, gate, gateFrom } = openGateKit({
    'package.json': JSON.stringify(manifest),
    'check.js': passing,
    'sum.js': 'module.exports = (a, b) => a + b\n',
  }))
})
afterEach(async () => {
  expect(kit.errors).toEqual([])
  await kit.close()
})

it('finds the commands of the repository, judges the commit it is given, and keeps what they printed', async () => {
  const change = commitAs({ 'sum.js': 'module.exports = (a, b) => a - b\n' })
  const good = await gate(first, check('tests'), check('lint'), check('coverage'), check('types'))
  expect(good.checks).toMatchObject({
    tests: { passed: true, level: 'ok', facts: { commands: ['npm run test'] } },
    lint: { passed: false, level: 'review', summary: 'npm run lint: exit code 3' },
    coverage: { passed: false, level: 'review', facts: { percent: 72.5 } },
    types: { passed: true, skipped: true },
  })
  expect(good.evidence('tests')).toContain('ran the tests')
  expect(good.evidence('tests')).toMatch(/^\$ npm run test\n/)
  expect(good.verdict.verdict).toBe('review')

  const bad = await gate(change, check('tests'))
  expect(bad.checks.tests).toMatchObject({ passed: false, level: 'block' })
  expect(bad.evidence('tests')).toContain('AssertionError')
  expect(bad.verdict).toMatchObject({ verdict: 'block', checks: [{ evidence: 'gate/step/tests.txt' }] })
  expect(bad.report.workspaceCommit).toBeNull()
})

it('looks at the size, the risks and the findings of the change alone', async () => {
  const key = `ghp_${'a'.repeat(40)}`
  const long = Array.from({ length: 600 }, (_, n) => `line ${n}`).join('\n')
  const change = commitAs({ 'src/auth/a.js': `const t = '${key}'\n`, 'notes.txt': long, 'package-lock.json': long })
  const confidence = { agent: 0.8, reviewer: 0.8, risks: ['critical_path'], type: 't' } as const
  const result = await gate(change, check('size'), check('security'), check('confidence', { confidence }))
  expect(result.checks).toMatchObject({
    size: { passed: false, level: 'review', facts: { lines: 601, files: 3 } },
    security: { passed: false, level: 'review', facts: { findings: 1 } },
    confidence: { passed: false, level: 'review', facts: { risk: 0.8, risks: ['critical_path', 'security'] } },
  })
  expect(result.evidence('security')).toContain('src/auth/a.js:1: GitHub token')
  expect(result.evidence('security')).not.toContain(key)
  const allowed = await gate(
    change,
    check('size', { max: 700 }),
    check('security', { max: 1 }),
    check('size', { name: 'tiny', max: 1, onFail: 'allow' }),
  )
  expect(allowed.verdict.verdict).toBe('pass')
  expect(allowed.checks.tiny).toMatchObject({ passed: false })
})

it('nothing changed is nothing to review', async () => {
  const same = await gate(first, check('size'), check('security'))
  expect(same.checks).toMatchObject({ size: { passed: true, facts: { lines: 0 } }, security: { passed: true } })
  expect(same.evidence('security')).toMatch(/looked through 0 added lines of .*: .*AWS access key/)
})

it('a configured command and minimum outrank what is found', async () => {
  const command = ['node', '-e', "console.log('TOTAL 10 4 60%')"]
  const result = await gate(
    first,
    check('tests', { command: ['false'] }),
    check('coverage', { command, min: 60 }),
    check('coverage', { command, min: 61, name: 'strict' }),
  )
  expect(result.checks).toMatchObject({
    tests: { passed: false, summary: 'false: exit code 1' },
    coverage: { passed: true, level: 'ok' },
    strict: { passed: false, level: 'block' },
  })
})

it('a coverage report counts if this run wrote it', async () => {
  const stale = commitAs({ 'coverage/lcov.info': 'LF:10\nLH:10\n' })
  const quiet = check('coverage', { command: ['true'], report: 'coverage/lcov.info' })
  const script = "require('fs').writeFileSync('coverage/lcov.info', 'LF:100\\nLH:90\\n')"
  const fresh = check('coverage', { command: ['node', '-e', script], name: 'fresh' })
  const result = await gate(stale, fresh, quiet)
  expect(result.checks.fresh).toMatchObject({ passed: true, facts: { percent: 90 } })
})

it('a repository without tests is for people to judge', async () => {
  rawGit(repository, 'rm', '--quiet', 'package.json')
  const bare = commitAs({ 'README.md': 'text\n' })
  const result = await gate(bare, check('tests'), check('lint'))
  expect(result.checks).toMatchObject({
    tests: { passed: false, level: 'review', summary: expect.stringContaining('names no command for tests') },
    lint: { passed: true, skipped: true },
  })
})

it('of a repository of many packages the changed ones are checked, each in its folder', async () => {
  rawGit(repository, 'rm', '--quiet', 'package.json')
  const pack = (name: string) => ({
    [`packages/${name}/package.json`]: JSON.stringify({
      scripts: {
        test: 'node check.js',
        coverage: `node -e "console.log('All files | 1 | 1 | 1 | ${name === 'a' ? 90 : 70} |')"`,
      },
    }),
    [`packages/${name}/check.js`]: `console.log('tests of ${name} in', require('path').basename(process.cwd()))\n`,
  })
  const base = commitAs({ ...pack('a'), ...pack('b'), ...pack('c') })
  const change = commitAs({ 'packages/a/src/x.js': '1\n', 'packages/b/y.js': '1\n', 'README.md': 'text\n' })
  const good = await gateFrom(base, change, check('tests'), check('coverage'))
  expect(good.checks.tests).toMatchObject({
    ...{ passed: true, level: 'ok' },
    facts: { commands: ['npm run test (in packages/a)', 'npm run test (in packages/b)'] },
  })
  expect(good.evidence('tests')).toContain('tests of b in b')
  expect(good.evidence('tests')).not.toContain('tests of c')
  // The package that is covered least counts.
  expect(good.checks.coverage).toMatchObject({ facts: { percent: 70 } })
  const broken = commitAs({ 'packages/b/check.js': 'process.exit(1)\n' })
  expect((await gateFrom(base, broken, check('tests'))).checks.tests).toMatchObject({
    ...{ passed: false, level: 'block', summary: 'npm run test (in packages/b): exit code 1' },
  })
})

it('a test command that finds nothing to run is for people, one that breaks is not', async () => {
  const say = (text: string, code: number) => [
    'node',
    '-e',
    `console.log(${JSON.stringify(text)}); process.exit(${code})`,
  ]
  const result = await gate(
    first,
    check('tests', { command: say('no tests ran in 0.01s', 5) }),
    check('tests', { name: 'broken', command: say('no tests ran in 0.01s', 4) }),
  )
  expect(result.checks).toMatchObject({
    tests: { passed: false, level: 'review', summary: expect.stringMatching(/: no tests ran$/) },
    broken: { passed: false, level: 'block' },
  })
})
