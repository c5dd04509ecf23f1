// Runs the suite under coverage and holds the line: 90 % of all lines, 95 % in the foundation and in the pure rules of
// the orchestration (its files that neither talk to the database nor to the system).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

function isRule(path) {
  if (!path.startsWith('src/orchestration/')) return false
  const text = readFileSync(join(root, path), 'utf8')
  const imports = [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^'"]*?from\s*['"]([^'"]+)['"]/gm)].map(
    (match) => match[1],
  )
  return !imports.some((name) => name.startsWith('node:') || name.includes('/foundation/platform/'))
}

const groups = [
  { name: 'all', floor: 90, holds: () => true },
  { name: 'foundation', floor: 95, holds: (path) => path.startsWith('src/foundation/') },
  { name: 'orchestration rules', floor: 95, holds: isRule },
]

function readLines(folder) {
  const summary = JSON.parse(readFileSync(join(folder, 'coverage-summary.json'), 'utf8'))
  return Object.entries(summary)
    .filter(([file]) => file !== 'total')
    .map(([file, { lines }]) => ({
      path: relative(root, file).split(sep).join('/'),
      total: lines.total,
      covered: lines.covered,
    }))
}

const folder = mkdtempSync(join(tmpdir(), 'leanvibe-coverage-'))
try {
  const coverage = [
    '--coverage',
    '--coverage.reporter=json-summary',
    '--coverage.reporter=html',
    '--coverage.reportsDirectory',
    folder,
  ]
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/test.mjs'), ...coverage], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const files = readLines(folder)
  let held = status === 0
  for (const { name, floor, holds } of groups) {
    const mine = files.filter((file) => holds(file.path))
    const covered = mine.reduce((sum, file) => sum + file.covered, 0)
    const total = mine.reduce((sum, file) => sum + file.total, 0)
    const percent = total === 0 ? 0 : (100 * covered) / total
    const ok = percent >= floor
    held &&= ok
    console.log(
      `${name.padEnd(20)} ${percent.toFixed(2)} % of ${total} lines in ${mine.length} files, floor ${floor} %${ok ? '' : ': TOO LOW'}`,
    )
    if (ok) continue
    const worst = mine.sort((a, b) => b.total - b.covered - (a.total - a.covered)).slice(0, 15)
    for (const file of worst) console.log(`    ${file.path}: ${file.total - file.covered} lines never run`)
  }
  process.exitCode = held ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
