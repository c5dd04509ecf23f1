import { folderOf, showBytes } from './git/path-name.ts'
import { type Authorship, authorshipOf } from './ownership-history.ts'
import { truckFactor } from './rules/authorship.ts'

export interface Owner {
  readonly name: string
  /** Commits without merges that changed a file. */
  readonly commits: number
  /** Present code files they are an author of. */
  readonly files: number
  readonly lastCommitAt: number
  readonly active: boolean
}

export interface OwnedFile {
  readonly path: string
  readonly recentCommits: number
  readonly authors: readonly string[]
  /** True when one of the authors is active, or somebody changed it three times in the last 365 days. */
  readonly attended: boolean
}

export interface OwnershipFacts {
  readonly commitsRead: number
  readonly people: number
  /** People with a commit in the 365 days before the last commit. */
  readonly activePeople: number
  /** Code files outside tests; with them where there are fewer than ten. */
  readonly codeFiles: number
  /** Truck factor after Avelino et al. 2016; null when the history does not allow it. */
  readonly busFactor: { readonly factor: number; readonly people: readonly string[] } | null
  /** The same when only active people count; 0 when more than half of the files have no active author. */
  readonly busFactorOfActive: { readonly factor: number; readonly people: readonly string[] } | null
  /** Code files outside tests whose authors are all inactive, and which nobody changed three times in the last 365 days. */
  readonly unattended: {
    readonly files: number
    readonly folders: readonly { readonly folder: string; readonly files: number; readonly of: number }[]
  }
  readonly owners: readonly Owner[]
  /** Folders of five code files and more that have a single author in all. */
  readonly singleAuthorFolders: readonly {
    readonly folder: string
    readonly files: number
    readonly author: string
    readonly active: boolean
  }[]
  /** The code files changed most in the last 365 days, at most 60, with their authors. */
  readonly busyFiles: readonly OwnedFile[]
  readonly botCommits: number
}

/** Who changed a file so often in a year knows it, whoever wrote it. */
const enoughChanges = 3

/** What the record of a history says. `trusted` is false where the history is cut off and creators are not known. */
export function describeOwnership(authorship: Authorship, trusted: boolean): OwnershipFacts {
  const { records, people, activity } = authorship
  const name = (id: number) => people[id]!.name
  const active = new Set([...activity].filter(([, one]) => one.active).map(([id]) => id))
  const known = [...records].filter(([, record]) => record.changes.size > 0)
  const paths = known.map(([path]) => path)
  const authors = known.map(([, record]) => authorshipOf(record))
  const attended = known.map(
    ([, { recent }], at) =>
      authors[at]!.some((id) => active.has(id)) || [...recent.values()].some((count) => count >= enoughChanges),
  )
  const factor = (lists: readonly (readonly number[])[]) => {
    const { factor: count, people: ids } = truckFactor(lists)
    return { factor: count, people: ids.slice(0, 10).map(name) }
  }
  const computable = trusted && known.length > 0
  return {
    commitsRead: authorship.commitsRead,
    botCommits: authorship.botCommits,
    people: activity.size,
    activePeople: active.size,
    codeFiles: records.size,
    busFactor: computable ? factor(authors) : null,
    busFactorOfActive: computable ? factor(authors.map((ids) => ids.filter((id) => active.has(id)))) : null,
    unattended: { files: attended.filter((is) => !is).length, folders: worstFolders(paths, attended) },
    owners: rankOwners(authorship, authors, name),
    singleAuthorFolders: singleAuthorFolders(paths, authors).map(({ folder, files, author }) => ({
      folder,
      files,
      author: name(author),
      active: active.has(author),
    })),
    busyFiles: known
      .map(([path, { recent }], at) => ({
        path: showBytes(path),
        recentCommits: [...recent.values()].reduce((sum, count) => sum + count, 0),
        authors: authors[at]!.slice(0, 4).map(name),
        attended: attended[at]!,
      }))
      .filter((file) => file.recentCommits > 0)
      .sort((a, b) => b.recentCommits - a.recentCommits || (a.path < b.path ? -1 : 1))
      .slice(0, 60),
  }
}

function rankOwners(
  { activity }: Authorship,
  authors: readonly (readonly number[])[],
  name: (id: number) => string,
): Owner[] {
  const files = new Map<number, number>()
  for (const ids of authors) for (const id of ids) files.set(id, (files.get(id) ?? 0) + 1)
  return [...activity]
    .map(([id, one]) => ({ name: name(id), files: files.get(id) ?? 0, ...one }))
    .sort((a, b) => b.files - a.files || b.commits - a.commits)
    .slice(0, 15)
}

function worstFolders(paths: readonly string[], attended: readonly boolean[]) {
  const folders = new Map<string, { files: number; of: number }>()
  paths.forEach((path, at) => {
    const folder = folderOf(path)
    const total = folders.get(folder) ?? { files: 0, of: 0 }
    folders.set(folder, total)
    total.of += 1
    if (!attended[at]) total.files += 1
  })
  return [...folders]
    .filter(([, total]) => total.files >= 3)
    .sort((a, b) => b[1].files - a[1].files || (a[0] < b[0] ? -1 : 1))
    .slice(0, 10)
    .map(([folder, total]) => ({ folder: showBytes(folder === '' ? '.' : folder), ...total }))
}

function singleAuthorFolders(paths: readonly string[], authors: readonly (readonly number[])[]) {
  const folders = new Map<string, { files: number; authors: Set<number> }>()
  paths.forEach((path, at) => {
    const folder = folderOf(path)
    const total = folders.get(folder) ?? { files: 0, authors: new Set<number>() }
    folders.set(folder, total)
    total.files += 1
    for (const id of authors[at]!) total.authors.add(id)
  })
  return [...folders]
    .filter(([, total]) => total.files >= 5 && total.authors.size === 1)
    .sort((a, b) => b[1].files - a[1].files || (a[0] < b[0] ? -1 : 1))
    .slice(0, 12)
    .map(([folder, total]) => ({
      folder: showBytes(folder === '' ? '.' : folder),
      files: total.files,
      author: [...total.authors][0]!,
    }))
}
