import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { commands } from '../src/cli/commands.ts'
import { root } from './meta/source-tree.ts'
import { copyTree } from './support/copy-tree.ts'
import { readGuide } from './support/guide.ts'
import { scratchFolder } from './support/run-cli.ts'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const scratch = scratchFolder('readme')
afterAll(() => scratch.remove())

/** Lines that a test cannot run as they are, and what it runs for them. */
const insteadOf: readonly (readonly [line: RegExp, run: string])[] = [
  // The clone was made before: the tree as it lies here, with its dependencies.
  [/^git clone <this repository> leanvibe && cd leanvibe$/m, 'cd leanvibe'],
  // The whole suite would run this file again.
  [/^npm test(?= )/m, 'npm test -- src/foundation/kernel/units.test.ts'],
]

/** A user's shell: what is on the PATH but for the tools of this checkout, and nothing of npm's or the tests' own. */
function environment(): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_|VITEST|LEANVIBE_|CI$|TEST)/i.test(name),
  )
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  return { ...Object.fromEntries(inherited), PATH: path.join(delimiter), NO_COLOR: '1' }
}

function makeRepository(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'NOTES.md'), '# Notes\n\nTODO: write them\n')
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=A', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false', ...args],
      {
        cwd: folder,
      },
    )
  git('init', '-q')
  git('add', '.')
  git('commit', '-q', '-m', 'first')
}

test('the commands of the README do what it says, one after the other', { timeout: 300_000 }, () => {
  copyTree(join(scratch.path, 'leanvibe'))
  makeRepository(join(scratch.path, 'leanvibe'))
  makeRepository(join(scratch.path, 'another-repository'))
  let script = readGuide(readme)
    .map((part) => part.text)
    .join('')
  for (const [line, run] of insteadOf) {
    expect(script).toMatch(line)
    script = script.replace(line, run)
  }
  const { status, stdout, stderr } = spawnSync('bash', ['-eu', '-o', 'pipefail', '-c', script], {
    cwd: scratch.path,
    env: environment(),
    encoding: 'utf8',
    timeout: 280_000,
    killSignal: 'SIGKILL',
  })
  expect(status, `${script}\n${stdout}\n${stderr}`).toBe(0)
  const ends = [...stdout.matchAll(/^✔ repo-checkup succeeded in .*: 13 steps/gm)]
  expect(ends).toHaveLength(2)
  expect(stdout).toMatch(/^\d+ passed, 0 failed$/m)
  const reports = [...stdout.matchAll(/^ +report\.md +(\S+)$/gm)].map(([, file]) => file!)
  for (const file of reports) expect(existsSync(join(scratch.path, 'leanvibe', file)), file).toBe(true)
  expect(reports).toHaveLength(2)
})

test('the README names no command that is not there', () => {
  const table = [...readme.matchAll(/^\| (`.*?) \| /gm)].map(([, cell]) => cell!)
  const named = table.flatMap((cell) => [...cell.matchAll(/`([a-z][a-z-]*)[^`]*`/g)].map(([, name]) => name!))
  expect(named.length).toBeGreaterThan(10)
  const known = commands.map(({ name }) => name)
  expect(named.filter((name) => !known.includes(name))).toEqual([])
})
