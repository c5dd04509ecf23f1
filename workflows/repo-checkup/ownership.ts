import type { Commit } from './git/read-history.ts'
import { readHistory } from './git/read-history.ts'
import { folderOf, showBytes } from './git/path-name.ts'
import { detach } from './git/records.ts'
import { isCode, listHeadFiles } from './head-files.ts'
import { windowDays } from './history-window.ts'
import { ownershipFindings } from './ownership-findings.ts'
import { runProgram, type Step } from './program.ts'
import { plural } from './result.ts'
import { authorsOf, truckFactor } from './rules/authorship.ts'
import { createPeople } from './rules/people.ts'

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
  readonly unattended: { readonly files: number; readonly folders: readonly { readonly folder: string; readonly files: number; readonly of: number }[] }
  readonly owners: readonly Owner[]
  /** Folders of five code files and more that have a single author in all. */
  readonly singleAuthorFolders: readonly { readonly folder: string; readonly files: number; readonly author: string; readonly active: boolean }[]
  /** The code files changed most in the last 365 days, at most 60, with their authors. */
  readonly busyFiles: readonly OwnedFile[]
  readonly botCommits: number
}

/** Knowledge of tests is easier to regain; they count only where there is little else. */
const leastSources = 10

/** Who changed a file so often in a year knows it, whoever wrote it. */
const enoughChanges = 3

interface FileRecord {
  readonly changes: Map<number, number>
  creator: number
  /** Changes by person within the 365 days before the last commit. */
  readonly recent: Map<number, number>
}

export const ownership: Step<OwnershipFacts> = {
  name: 'ownership',
  about: 'Who knows the code: degree of authorship per file, bus factor, files whose authors have left.',
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    const code = files.filter(isCode)
    const sources = code.filter((file) => file.role === 'source')
    const owned = sources.length >= leastSources ? sources : code
    const records = new Map<string, FileRecord>(owned.map((file) => [file.path, { changes: new Map(), creator: -1, recent: new Map() }]))
    const people = createPeople()
    const commitsOf: number[] = []
    const lastOf: number[] = []
    /** What a file of an older commit is called now; exact renames only, found by equal object ids. */
    const nowCalled = new Map<string, string>()
    let commitsRead = 0
    let botCommits = 0
    let newest = 0
    let cut = false
    const visit = (commit: Commit) => {
      const person = people.of(commit.name, commit.email)
      noteRenames(commit, nowCalled, records)
      if (person.bot) {
        botCommits += 1
        return
      }
      commitsOf[person.id] = (commitsOf[person.id] ?? 0) + 1
      lastOf[person.id] = Math.max(lastOf[person.id] ?? 0, commit.at)
      for (const { path } of commit.changes) {
        const record = records.get(nowCalled.get(path) ?? path)
        if (record === undefined) continue
        record.changes.set(person.id, (record.changes.get(person.id) ?? 0) + 1)
        record.creator = person.id // newest first: the last one to set it is the oldest
        if (newest - commit.at <= windowDays * 86_400) record.recent.set(person.id, (record.recent.get(person.id) ?? 0) + 1)
      }
    }
    for await (const commit of readHistory(repository, { detail: 'raw', signal })) {
      if (newest === 0) newest = commit.at
      if (expired()) {
        cut = true
        break
      }
      commitsRead += 1
      progress(`${commitsRead} commits`)
      visit(commit)
    }
    const humans = people.all.filter((person) => !person.bot && commitsOf[person.id] !== undefined)
    const active = new Set(humans.filter((person) => newest - lastOf[person.id]! <= windowDays * 86_400).map((person) => person.id))
    const name = (id: number) => people.all[id]!.name
    const known = [...records].filter(([, record]) => record.changes.size > 0)
    const authors = known.map(([, record]) => authorsOf(record.changes, record.creator))
    const trusted = !repository.shallow && known.length > 0
    const factor = (lists: readonly (readonly number[])[]) => {
      const { factor: count, people: ids } = truckFactor(lists)
      return { factor: count, people: ids.slice(0, 10).map(name) }
    }
    const fileCounts = new Map<number, number>()
    for (const ids of authors) for (const id of ids) fileCounts.set(id, (fileCounts.get(id) ?? 0) + 1)
    const attended = authors.map((ids, at) => ids.some((id) => active.has(id)) || [...known[at]![1].recent.values()].some((count) => count >= enoughChanges))
    const facts: OwnershipFacts = {
      commitsRead,
      botCommits,
      people: humans.length,
      activePeople: active.size,
      codeFiles: records.size,
      busFactor: trusted ? factor(authors) : null,
      busFactorOfActive: trusted ? factor(authors.map((ids) => ids.filter((id) => active.has(id)))) : null,
      unattended: { files: attended.filter((is) => !is).length, folders: worstFolders(known.map(([path]) => path), attended) },
      owners: humans
        .map(({ id }) => ({
          name: name(id), commits: commitsOf[id]!, files: fileCounts.get(id) ?? 0, lastCommitAt: lastOf[id]!, active: active.has(id),
        }))
        .sort((a, b) => b.files - a.files || b.commits - a.commits)
        .slice(0, 15),
      singleAuthorFolders: singleAuthorFolders(known.map(([path]) => path), authors).map(({ folder, files: count, author }) => ({
        folder, files: count, author: name(author), active: active.has(author),
      })),
      busyFiles: known
        .map(([path, record], at) => ({ path, recentCommits: [...record.recent.values()].reduce((sum, count) => sum + count, 0), ids: authors[at]!, attended: attended[at]! }))
        .filter((file) => file.recentCommits > 0)
        .sort((a, b) => b.recentCommits - a.recentCommits || (a.path < b.path ? -1 : 1))
        .slice(0, 60)
        .map(({ path, recentCommits, ids, attended: is }) => ({ path: showBytes(path), recentCommits, authors: ids.slice(0, 4).map(name), attended: is })),
    }
    const limits = ['Authorship counts commits without merges; co-authors in trailers are not counted, and a rename with changes starts a new file.']
    if (repository.shallow) limits.push('The bus factor was not computed: in a shallow clone the oldest commit seems to have written everything.')
    if (cut) limits.push(`Authorship rests on the newest ${plural(commitsRead, 'commit')}: the time limit was reached.`)
    if (botCommits > 0) limits.push(`${plural(botCommits, 'commit')} by bots are left out.`)
    return { facts, findings: ownershipFindings(facts), limits }
  },
}

function noteRenames(commit: Commit, nowCalled: Map<string, string>, records: ReadonlyMap<string, unknown>): void {
  let removed: Map<string, string> | null = null
  for (const change of commit.changes) {
    if (change.status === 'D') (removed ??= new Map()).set(change.oldOid!, change.path)
  }
  if (removed === null) return
  for (const change of commit.changes) {
    if (change.status !== 'A') continue
    const before = removed.get(change.newOid!)
    const now = nowCalled.get(change.path) ?? change.path
    if (before !== undefined && records.has(now) && !records.has(before)) nowCalled.set(detach(before), now === change.path ? detach(now) : now)
  }
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
    .map(([folder, total]) => ({ folder: showBytes(folder === '' ? '.' : folder), files: total.files, author: [...total.authors][0]! }))
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(ownership, argv)

if (import.meta.main) await main(process.argv.slice(2))
