import { folderOf, showBytes } from './git/path-name.ts'
import { countLines, type HeadFile, isCode, listHeadFiles, maxTextBytes, noSkips, readTextFiles } from './head-files.ts'
import { type HistoryWindow, visitWindow } from './history-window.ts'
import { runProgram, type Step, type StepContext } from './program.ts'
import { plural } from './result.ts'
import { countSwitches, createMentions, isGlue, nameToTest } from './rules/test-links.ts'
import { testFindings } from './tests-findings.ts'

export interface Ratio {
  readonly source: number
  readonly test: number
}

export interface UntestedFile {
  readonly path: string
  readonly lines: number
  readonly recentCommits: number
}

export interface TestsFacts {
  readonly sourceFiles: number
  readonly testFiles: number
  readonly sourceLines: number
  readonly testLines: number
  /** By language, most source lines first, at most 8. */
  readonly languages: readonly ({ readonly language: string } & Ratio)[]
  /** By top-level folder (or workspace package), at most 15. */
  readonly parts: readonly ({ readonly part: string } & Ratio)[]
  /** Whether tests here mention sources by name often enough to ask which are not mentioned. */
  readonly named: { readonly asked: number; readonly mentioned: number; readonly telling: boolean }
  /** Source files of 50 lines or more that no test mentions, most recent commits first, at most 40. */
  readonly untested: readonly UntestedFile[]
  readonly untestedCount: number
  readonly skipped: readonly { readonly path: string; readonly count: number }[]
  readonly skippedCount: number
  readonly focused: readonly string[]
  /** Rust files with tests inside. */
  readonly inlineTested: number
}

const leastLines = 50

export const tests: Step<TestsFacts> = {
  name: 'tests',
  about: 'How much test code there is for the code, and which busy files no test mentions.',
  async run(context) {
    const { repository, signal, expired, progress } = context
    const { files } = await listHeadFiles(repository, signal)
    const code = files.filter(isCode).sort((a, b) => Number(b.role === 'test') - Number(a.role === 'test'))
    const mentions = createMentions()
    const tally = createTally()
    const skipped: { path: string; count: number }[] = []
    const focused: string[] = []
    const sources: { file: HeadFile; lines: number; name: string | null; tested: boolean }[] = []
    const testedFolders = new Set<string>()
    let inlineTested = 0
    const skips = noSkips()
    const limits = { maxFileBytes: maxTextBytes, maxTotalBytes: 6e8, expired, signal }
    let seen = 0
    for await (const file of readTextFiles(repository, code, limits, skips)) {
      progress(`${++seen} of ${code.length} files`)
      if (file.role === 'generated') continue
      let lines = countLines(file.text)
      if (file.role === 'test') {
        tally.add(file, 'test', lines)
        mentions.add(file.text)
        if (file.language?.name === 'Go') testedFolders.add(folderOf(file.path))
        const switches = countSwitches(file.text)
        if (switches.skipped > 0) skipped.push({ path: showBytes(file.path), count: switches.skipped })
        if (switches.focused > 0) focused.push(showBytes(file.path))
        continue
      }
      const inline = file.language?.name === 'Rust' ? file.text.search(/^\s*#\[cfg\(test\)\]/m) : -1
      if (inline >= 0) {
        const inside = countLines(file.text.slice(inline))
        tally.add(file, 'test', inside)
        lines -= inside
        inlineTested += 1
      }
      tally.add(file, 'source', lines)
      sources.push({
        file,
        lines,
        name: nameToTest(file.path),
        tested: inline >= 0 || (file.language?.name === 'Go' && testedFolders.has(folderOf(file.path))),
      })
    }
    const asked = sources.filter(
      (source) => source.lines >= leastLines && source.name !== null && !isGlue(source.file.language!.name),
    )
    const untested = asked.filter((source) => !source.tested && !mentions.has(source.name!))
    const { recent, window } = await countRecent(context, new Set(untested.map((source) => source.file.path)))
    const telling = asked.length >= 5 && tally.totals().testFiles > 0 && untested.length / asked.length <= 0.3
    const facts: TestsFacts = {
      ...tally.totals(),
      named: { asked: asked.length, mentioned: asked.length - untested.length, telling },
      untested: !telling
        ? []
        : untested
            .map(({ file, lines }) => ({
              path: showBytes(file.path),
              lines,
              recentCommits: recent.get(file.path) ?? 0,
            }))
            .sort((a, b) => b.recentCommits - a.recentCommits || b.lines - a.lines || (a.path < b.path ? -1 : 1))
            .slice(0, 40),
      untestedCount: telling ? untested.length : 0,
      skipped: skipped.sort((a, b) => b.count - a.count).slice(0, 10),
      skippedCount: skipped.reduce((sum, file) => sum + file.count, 0),
      focused: focused.slice(0, 10),
      inlineTested,
    }
    const said = [
      'Tests are told by path and file name. Whether a file is tested is guessed from its name in test code, not measured: run a coverage tool for that.',
    ]
    if (facts.testFiles > 0 && !telling)
      said.push('Tests here do not name the files they test, so files without a test could not be told.')
    if (skips.notReached > 0)
      said.push(
        `${plural(skips.notReached, 'file')} were not read for the test ratio: the time or size limit was reached.`,
      )
    return { facts, findings: testFindings(facts, window), limits: said }
  },
}

/** Changes of the given files in the recent window. */
async function countRecent(
  { repository, signal, expired, progress }: StepContext,
  paths: ReadonlySet<string>,
): Promise<{ recent: Map<string, number>; window: HistoryWindow }> {
  const recent = new Map<string, number>([...paths].map((path) => [path, 0]))
  const window = await visitWindow(repository, { detail: 'raw', signal, expired }, (commit) => {
    progress(`changes up to ${commit.oid.slice(0, 8)}`)
    for (const { path } of commit.changes) {
      const count = recent.get(path)
      if (count !== undefined) recent.set(path, count + 1)
    }
  })
  return { recent, window }
}

function createTally() {
  const languages = new Map<string, { source: number; test: number }>()
  const parts = new Map<string, { source: number; test: number }>()
  const sums = { sourceFiles: 0, testFiles: 0, sourceLines: 0, testLines: 0 }
  const bump = (
    map: Map<string, { source: number; test: number }>,
    key: string,
    role: 'source' | 'test',
    lines: number,
  ) => {
    const total = map.get(key) ?? { source: 0, test: 0 }
    map.set(key, total)
    total[role] += lines
  }
  return {
    add(file: HeadFile, role: 'source' | 'test', lines: number) {
      if (role === file.role) sums[role === 'test' ? 'testFiles' : 'sourceFiles'] += 1
      sums[role === 'test' ? 'testLines' : 'sourceLines'] += lines
      if (file.language !== null) bump(languages, file.language.name, role, lines)
      bump(parts, partOf(file.path), role, lines)
    },
    totals() {
      const ranked = (map: typeof languages) =>
        [...map].sort((a, b) => b[1].source - a[1].source || (a[0] < b[0] ? -1 : 1))
      return {
        ...sums,
        languages: ranked(languages)
          .slice(0, 8)
          .map(([language, ratio]) => ({ language, ...ratio })),
        parts: ranked(parts)
          .slice(0, 15)
          .map(([part, ratio]) => ({ part: showBytes(part), ...ratio })),
      }
    },
  }
}

/** The package a file belongs to: `packages/x` in a workspace, otherwise the top-level folder. */
function partOf(path: string): string {
  const [first, second, third] = path.split('/')
  if (second === undefined) return '(top level)'
  return third !== undefined && /^(packages|apps|libs|crates|modules|services|plugins|cmd|internal|pkg)$/.test(first!)
    ? `${first}/${second}`
    : first!
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(tests, argv)

if (import.meta.main) await main(process.argv.slice(2))
