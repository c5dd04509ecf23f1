import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readChildCoverage } from '../scripts/child-coverage.ts'
import { readLineCoverage } from '../scripts/line-coverage.ts'
import { root } from './meta/source-tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'leanvibe-child-coverage-'))
const units = join(root, 'src/foundation/kernel/units.ts')
const text = readFileSync(units, 'utf8')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function runChild(program: string): void {
  const env = { PATH: process.env.PATH ?? '', NODE_V8_COVERAGE: folder }
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    env,
    encoding: 'utf8',
  })
  expect(status, stderr).toBe(0)
}

test('what a child process ran is known to the character', () => {
  runChild(`import { formatDuration } from ${JSON.stringify(units)}; formatDuration(5)`)
  const ranAt = readChildCoverage(folder, root)
  const offsetOf = (code: string) => text.indexOf(code)
  expect(offsetOf('`${Math.round(ms)}ms`')).toBeGreaterThan(0)
  expect(ranAt(units, offsetOf('`${Math.round(ms)}ms`'))).toBe(true)
  expect(ranAt(units, offsetOf('const minutes ='))).toBe(false)
  expect(ranAt(units, offsetOf('let total = 0'))).toBe(false)
  expect(ranAt(join(root, 'src/foundation/kernel/ids.ts'), 10)).toBe(false)
})

test('a line counts as run when a test ran it, or a child did', () => {
  const lineOf = (code: string) => text.slice(0, text.indexOf(code)).split('\n').length
  const statement = (code: string) => ({ start: { line: lineOf(code), column: 2 } })
  const report = join(folder, 'report')
  const statementMap = {
    byTest: statement('let end = 0'),
    byChild: statement('if (ms < 1_000)'),
    byNobody: statement('const minutes ='),
  }
  writeFileSync(report, JSON.stringify({ [units]: { statementMap, s: { byTest: 3, byChild: 0, byNobody: 0 } } }))
  expect(readLineCoverage(root, report, folder)).toEqual([
    { path: 'src/foundation/kernel/units.ts', total: 3, covered: 2, missing: [lineOf('const minutes =')] },
  ])
})
