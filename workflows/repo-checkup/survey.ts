import { listTree } from './git/list-tree.ts'
import type { Repository } from './git/open-repository.ts'
import { encodePath, showBytes } from './git/path-name.ts'
import { splitLines } from './git/records.ts'
import { listHeadFiles } from './head-files.ts'
import { runProgram, type Step } from './program.ts'
import { plural } from './result.ts'

export interface Folder {
  /** Percent-encoded name for `--item`; `.` stands for the files at the top. */
  readonly item: string
  readonly name: string
  readonly files: number
  readonly bytes: number
}

export interface SurveyFacts {
  readonly repository: {
    readonly name: string
    readonly branch: string | null
    readonly bare: boolean
    readonly shallow: boolean
    readonly partial: boolean
  }
  readonly commits: number
  readonly merges: number
  /** Committer time of the first and the last commit, seconds since 1970. */
  readonly firstCommitAt: number
  readonly lastCommitAt: number
  /** Commits per month for the last 12 months before the last commit, oldest first. */
  readonly monthly: readonly number[]
  readonly files: number
  readonly bytes: number
  readonly symlinks: number
  readonly submodules: readonly string[]
  /** The top-level folders for the map step, largest first, at most 24. */
  readonly folders: readonly Folder[]
  /** Percent-encoded, ready for `--item`. */
  readonly items: readonly string[]
  readonly foldersLeftOut: number
}

const maxFolders = 24
const monthSeconds = 2_629_800

export const survey: Step<SurveyFacts> = {
  name: 'survey',
  about: 'What is there: the commit, the length of the history, the top-level folders, and what the clone lacks.',
  async run({ repository, commit, signal, progress }) {
    const tree = await listHeadFiles(repository, signal)
    progress(`${tree.files.length} files`)
    const history = await measureHistory(repository, commit, signal, progress)
    const folders = await listFolders(repository, commit, tree.files, signal)
    const limits: string[] = []
    if (repository.shallow)
      limits.push(
        `The history is shallow: ${plural(history.commits, 'commit')} seen. Run \`git fetch --unshallow\` for the rest.`,
      )
    if (repository.partial)
      limits.push(
        'The clone is partial (made with --filter): objects that are not here were not fetched and not looked at.',
      )
    if (repository.subfolder) limits.push('The path given is a subfolder; the whole repository was looked at.')
    if (tree.missing > 0) limits.push(`${plural(tree.missing, 'file')} of the commit are not in this clone.`)
    if (tree.submodules.length > 0) limits.push(`${plural(tree.submodules.length, 'submodule')} listed, not entered.`)
    if (folders.length > maxFolders)
      limits.push(
        `${folders.length - maxFolders} of ${folders.length} top-level folders are too small for a section of their own.`,
      )
    const shown = folders.slice(0, maxFolders)
    return {
      facts: {
        repository: {
          name: showBytes(Buffer.from(repository.name).toString('latin1')),
          branch: repository.branch,
          bare: repository.bare,
          shallow: repository.shallow,
          partial: repository.partial,
        },
        ...history,
        files: tree.files.length,
        bytes: tree.files.reduce((sum, file) => sum + file.size, 0),
        symlinks: tree.symlinks,
        submodules: tree.submodules.slice(0, 20).map(showBytes),
        folders: shown,
        items: shown.map((folder) => folder.item),
        foldersLeftOut: folders.length - shown.length,
      },
      findings: [],
      limits,
    }
  },
}

async function measureHistory(
  repository: Repository,
  commit: string,
  signal: AbortSignal,
  progress: (message: string) => void,
) {
  const monthly = new Array<number>(12).fill(0)
  let commits = 0
  let merges = 0
  let lastCommitAt = 0
  let firstCommitAt = Number.POSITIVE_INFINITY
  const args = ['log', '--format=%ct %p', commit]
  for await (const line of splitLines(repository.stream(args, { signal }))) {
    const [time, ...parents] = line.split(' ')
    const at = Number(time)
    if (commits === 0) lastCommitAt = at
    commits += 1
    progress(`${commits} commits`)
    if (parents.length > 1) merges += 1
    if (at < firstCommitAt) firstCommitAt = at
    const month = Math.floor((lastCommitAt - at) / monthSeconds)
    if (month >= 0 && month < 12) monthly[11 - month]! += 1
  }
  return { commits, merges, firstCommitAt, lastCommitAt, monthly }
}

async function listFolders(
  repository: Repository,
  commit: string,
  files: readonly { readonly path: string; readonly size: number }[],
  signal: AbortSignal,
): Promise<Folder[]> {
  const totals = new Map<string, { files: number; bytes: number }>()
  for await (const entry of listTree(repository, commit, { recursive: false, signal })) {
    if (entry.type === 'tree') totals.set(entry.path, { files: 0, bytes: 0 })
  }
  for (const { path, size } of files) {
    const slash = path.indexOf('/')
    const folder = slash < 0 ? '.' : path.slice(0, slash)
    const total = totals.get(folder) ?? { files: 0, bytes: 0 }
    total.files += 1
    total.bytes += size
    totals.set(folder, total)
  }
  return [...totals]
    .filter(([, total]) => total.files > 0)
    .map(([name, total]) => ({
      item: encodePath(name),
      name: name === '.' ? '(top level)' : showBytes(name),
      ...total,
    }))
    .sort((a, b) => b.files - a.files || b.bytes - a.bytes || (a.item < b.item ? -1 : 1))
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(survey, argv)

if (import.meta.main) await main(process.argv.slice(2))
