import { decodePath, showBytes } from './git/path-name.ts'
import { countLines, isCode, listHeadFiles, maxTextBytes, noSkips, readTextFiles } from './head-files.ts'
import { findWindow, type HistoryWindow, visitWindow, windowLimits } from './history-window.ts'
import { programErrors, runProgram, type Step, type StepContext } from './program.ts'
import { plural } from './result.ts'
import { createPeople } from './rules/people.ts'

export interface FolderFacts {
  readonly item: string
  readonly name: string
  readonly files: number
  readonly bytes: number
  /** Hand-written lines of code, tests apart. */
  readonly sourceLines: number
  readonly testLines: number
  readonly vendoredFiles: number
  readonly languages: readonly { readonly language: string; readonly lines: number }[]
  readonly window: HistoryWindow
  /** Commits of the window that touch the folder; bots not counted. */
  readonly commits: number
  readonly added: number
  readonly deleted: number
  /** By share of the lines they added here in the window, at most 5. */
  readonly authors: readonly { readonly name: string; readonly share: number }[]
  readonly authorCount: number
  /** Committer time of the newest commit in the window that touches it; 0 when none does. */
  readonly lastChangeAt: number
  readonly busiest: readonly { readonly path: string; readonly commits: number }[]
}

export const folder: Step<FolderFacts> = {
  name: 'folder',
  about:
    'One top-level folder (--item, percent-encoded; `.` is the files at the top): size, languages, changes, authors, tests.',
  async run(context) {
    if (context.item === null) throw programErrors['checkup-bad-argument']('--item FOLDER is missing')
    const path = decodePath(context.item)
    const contents = await readContents(context, path)
    const changes = await readChanges(context, path)
    const { notReached, ...rest } = contents
    const limits = windowLimits(changes.window)
    if (notReached > 0)
      limits.push(
        `${showBytes(path)}: ${plural(notReached, 'file')} were not read: the time or size limit was reached.`,
      )
    return {
      facts: { item: context.item, name: path === '.' ? '(top level)' : showBytes(path), ...rest, ...changes },
      findings: [],
      limits,
    }
  },
}

async function readContents({ repository, signal, expired, progress }: StepContext, path: string) {
  const { files } = await listHeadFiles(repository, signal)
  const inside = files.filter((file) => isInside(file.path, path))
  if (inside.length === 0) throw programErrors['checkup-bad-argument'](`the commit has no folder ${showBytes(path)}`)
  const languages = new Map<string, number>()
  const skips = noSkips()
  const limits = { maxFileBytes: maxTextBytes, maxTotalBytes: 5e8, expired, signal }
  let sourceLines = 0
  let testLines = 0
  for await (const file of readTextFiles(repository, inside.filter(isCode), limits, skips)) {
    progress(`${showBytes(path)}: reading`)
    if (file.role === 'generated' || file.language === null) continue
    const lines = countLines(file.text)
    if (file.role === 'test') testLines += lines
    else sourceLines += lines
    languages.set(file.language.name, (languages.get(file.language.name) ?? 0) + lines)
  }
  return {
    files: inside.length,
    bytes: inside.reduce((sum, file) => sum + file.size, 0),
    vendoredFiles: inside.filter((file) => file.role === 'vendored' || file.role === 'generated').length,
    sourceLines,
    testLines,
    languages: [...languages]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 4)
      .map(([language, lines]) => ({ language, lines })),
    notReached: skips.notReached,
  }
}

async function readChanges({ repository, signal, expired, progress }: StepContext, path: string) {
  const people = createPeople()
  const addedBy = new Map<string, number>()
  const byFile = new Map<string, number>()
  let commits = 0
  let added = 0
  let deleted = 0
  let lastChangeAt = 0
  // Git takes paths as text; a name that is no UTF-8 is looked for in everything.
  const utf8 = Buffer.from(path, 'latin1').toString('utf8')
  const paths = path === '.' || utf8.includes('\uFFFD') ? [] : [utf8]
  const bounds = await findWindow(repository, signal)
  const window = await visitWindow(repository, { detail: 'lines', paths, bounds, signal, expired }, (commit) => {
    progress(`${showBytes(path)}: ${commits} commits`)
    const touched = commit.changes.filter((change) => isInside(change.path, path))
    const person = people.of(commit.name, commit.email)
    if (touched.length === 0 || person.bot) return
    commits += 1
    lastChangeAt = Math.max(lastChangeAt, commit.at)
    const sum = touched.reduce((total, change) => total + (change.added ?? 0), 0)
    added += sum
    deleted += touched.reduce((total, change) => total + (change.deleted ?? 0), 0)
    // A change that only deletes is work on the folder too.
    addedBy.set(person.name, (addedBy.get(person.name) ?? 0) + Math.max(1, sum))
    for (const change of touched) byFile.set(change.path, (byFile.get(change.path) ?? 0) + 1)
  })
  const total = Math.max(
    1,
    [...addedBy.values()].reduce((sum, count) => sum + count, 0),
  )
  return {
    window,
    commits,
    added,
    deleted,
    authorCount: addedBy.size,
    authors: [...addedBy]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 5)
      .map(([name, lines]) => ({ name, share: Math.round((lines / total) * 100) / 100 })),
    lastChangeAt,
    busiest: [...byFile]
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, 3)
      .map(([file, count]) => ({ path: showBytes(file), commits: count })),
  }
}

function isInside(path: string, folderPath: string): boolean {
  return folderPath === '.' ? !path.includes('/') : path.startsWith(`${folderPath}/`)
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(folder, argv)

if (import.meta.main) await main(process.argv.slice(2))
