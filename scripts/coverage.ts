// Runs the suite under coverage and holds the line: 90 % of all lines, 95 % in the foundation and in the pure rules of
// the orchestration (its files that wait for nothing and talk neither to the database nor to the system). Lists the lines
// that never ran in coverage/missing.txt.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FileCoverage, readLineCoverage } from './line-coverage.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Group {
  readonly name: string
  /** Per cent. */
  readonly floor: number
  holds(path: string): boolean
}

const groups: readonly Group[] = [
  { name: 'all', floor: 90, holds: () => true },
  { name: 'foundation', floor: 95, holds: (path) => path.startsWith('src/foundation/') },
  { name: 'orchestration rules', floor: 95, holds: isRule },
]

function isRule(path: string): boolean {
  if (!path.startsWith('src/orchestration/')) return false
  const text = readFileSync(join(root, path), 'utf8')
  if (/\b(?:async|await)\b/.test(text)) return false
  const imports = [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^'"]*?from\s*['"]([^'"]+)['"]/gm)]
  return !imports.some(([, name]) => name!.startsWith('node:') || name!.includes('/foundation/platform/'))
}

function runSuite(reports: string, childFolder: string): boolean {
  const options = ['--config', 'vitest.coverage.config.ts', '--coverage', '--coverage.reportOnFailure']
  const reporters = ['--coverage.reporter=json', '--coverage.reporter=html', `--coverage.reportsDirectory=${reports}`]
  const args = [join(root, 'scripts/test.mjs'), ...options, ...reporters, ...process.argv.slice(2)]
  const env = { ...process.env, CHILD_COVERAGE_FOLDER: childFolder }
  return spawnSync(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}

/** Prints one line for a group, and where it is below its floor the files that lack most. */
function judge({ name, floor, holds }: Group, files: readonly FileCoverage[]): boolean {
  const mine = files.filter((file) => holds(file.path))
  const sum = (pick: (file: FileCoverage) => number) => mine.reduce((total, file) => total + pick(file), 0)
  const [total, covered] = [sum((file) => file.total), sum((file) => file.covered)]
  const percent = total === 0 ? 0 : (100 * covered) / total
  const verdict = percent >= floor ? '' : ': TOO LOW'
  console.log(`${name}: ${percent.toFixed(2)} % of ${total} lines in ${mine.length} files, floor ${floor} %${verdict}`)
  if (percent >= floor) return true
  const missing = (file: FileCoverage) => file.total - file.covered
  const worst = mine.toSorted((a, b) => missing(b) - missing(a)).slice(0, 15)
  for (const file of worst) console.log(`    ${file.path}: ${missing(file)} of ${file.total} lines never run`)
  return false
}

const childFolder = mkdtempSync(join(tmpdir(), 'leanvibe-coverage-'))
try {
  const reports = join(root, 'coverage')
  rmSync(reports, { recursive: true, force: true })
  const passed = runSuite(reports, childFolder)
  const counted = readLineCoverage(root, join(reports, 'coverage-final.json'), childFolder)
  const files = counted.filter((file) => !file.path.endsWith('.fixture.ts'))
  const lacking = files.filter((file) => file.missing.length > 0).toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const list = lacking.map(({ path, missing }) => `${path}: ${missing.join(' ')}\n`).join('')
  writeFileSync(join(reports, 'missing.txt'), list)
  const held = groups.map((group) => judge(group, files)).every((ok) => ok)
  process.exitCode = passed && held ? 0 : 1
} finally {
  rmSync(childFolder, { recursive: true, force: true })
}
