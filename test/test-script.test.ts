import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from './meta/source-tree.ts'

const passing = "import { test } from 'vitest'\ntest('good', () => {})\n"
const failing = "import { expect, test } from 'vitest'\ntest('bad', () => expect(1).toBe(2))\n"
const skipping = "import { test } from 'vitest'\ntest('good', () => {})\ntest.skip('left out', () => {})\n"
const broken = "import './nothing.ts'\n"
const throwingLater =
  "import { test } from 'vitest'\ntest('good', () => { setTimeout(() => { throw new Error('late') }, 1) })\ntest('slow', () => new Promise((r) => setTimeout(r, 200)))\n"

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'leanvibe-suite-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'vitest.config.mjs'), "export default { test: { include: ['suite/*.test.ts'] } }\n")
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What `npm test` does on a suite of these files. */
function runSuite(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  rmSync(join(folder, 'suite'), { recursive: true, force: true })
  mkdirSync(join(folder, 'suite'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'suite', `${name}.test.ts`), text)
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|CI$|NODE_ENV|TEST|DEV|PROD)/.test(name))
  const args = [join(root, 'scripts/test.mjs'), `--root=${folder}`, `--config=${join(folder, 'vitest.config.mjs')}`]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  const lines = stdout.split('\n')
  expect(lines.at(-1), 'the output ends with a line break').toBe('')
  return { status, lastLine: lines.at(-2), stdout, stderr }
}

describe('npm test', () => {
  test('ends with the totals, alone on the last line, and succeeds', () => {
    expect(runSuite({ a: passing, b: passing })).toMatchObject({ status: 0, lastLine: '2 passed, 0 failed' })
  })

  test('fails where a test fails, and says which and where', () => {
    const result = runSuite({ a: passing, b: failing })
    expect(result).toMatchObject({ status: 1, lastLine: '1 passed, 1 failed' })
    expect(result.stdout).toMatch(/FAIL suite\/b\.test\.ts.*\n +x bad\n/)
    expect(result.stdout).toContain('b.test.ts:2')
  })

  test('runs what failed once more, alone, and names what passed then', () => {
    const marker = JSON.stringify(join(folder, 'was-here'))
    const unsteady = `import { existsSync, writeFileSync } from 'node:fs'\nimport { expect, test } from 'vitest'\ntest('races', () => { const first = !existsSync(${marker}); writeFileSync(${marker}, ''); expect(first).toBe(false) })\n`
    const result = runSuite({ a: passing, b: unsteady })
    expect(result).toMatchObject({ status: 0, lastLine: '2 passed, 0 failed' })
    expect(result.stderr).toMatch(/unsteady, .*passed alone: suite\/b\.test\.ts\n +x races/)
    const many = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, failing]))
    const broad = runSuite(many)
    expect(broad).toMatchObject({ status: 1, lastLine: '0 passed, 4 failed' })
    expect(broad.stderr).not.toContain('once more')
  })

  test('takes for passed then only what passed, all that the files hold, and counts it right', () => {
    const marker = (name: string) => JSON.stringify(join(folder, `was-here-${name}`))
    const file = (name: string, first: string, then: string) =>
      `import { existsSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
const first = !existsSync(${marker(name)})
writeFileSync(${marker(name)}, '')
if (first) { ${first} } else { ${then} }
test('one', () => {})
test('other', () => {})
`
    const result = runSuite({
      fewer: file('fewer', "test('bad', () => expect(1).toBe(2))", ''),
      hooks: file('hooks', "beforeAll(() => { throw new Error('hook') })", ''),
      load: file('load', "throw new Error('load')", ''),
    })
    expect(result).toMatchObject({ status: 1, lastLine: '6 passed, 1 failed' })
    expect(result.stderr).toMatch(/unsteady, .*: suite\/hooks/)
    expect(result.stderr).toMatch(/unsteady, .*: suite\/load/)
    expect(result.stderr).toMatch(/FAIL suite\/fewer/)
    const dying = "process.kill(process.pid, 'SIGKILL')"
    const crashed = runSuite({ a: passing, dies: file('dies', "throw new Error('load')", dying) })
    expect(crashed).toMatchObject({ status: 1, lastLine: '1 passed, 1 failed' })
    expect(crashed.stderr).not.toContain('unsteady')
  })

  test('counts a file that cannot be loaded, and an error outside all tests, as failures', () => {
    expect(runSuite({ a: passing, b: broken })).toMatchObject({ status: 1, lastLine: '1 passed, 1 failed' })
    expect(runSuite({ a: throwingLater })).toMatchObject({ status: 1, lastLine: '2 passed, 1 failed' })
  })

  test('lets a test be skipped on a desk, but not under CI', () => {
    const skipped = { lastLine: '1 passed, 0 failed, 1 skipped' }
    expect(runSuite({ a: skipping })).toMatchObject({ status: 0, ...skipped })
    const underCi = runSuite({ a: skipping }, { CI: 'true' })
    expect(underCi).toMatchObject({ status: 1, ...skipped })
    expect(underCi.stderr).toContain('suite/a.test.ts > left out')
  })

  test('does not take an empty run for a good one', () => {
    expect(runSuite({})).toMatchObject({ status: 1, lastLine: '0 passed, 0 failed' })
  })
})
