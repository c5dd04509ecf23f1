import type { Commit } from './git/read-history.ts'
import { readHistory } from './git/read-history.ts'
import { detach } from './git/records.ts'
import { windowDays } from './history-window.ts'
import type { StepContext } from './program.ts'
import { authorsOf } from './rules/authorship.ts'
import { createPeople, type Person } from './rules/people.ts'

/** Who changed one file, by id of the person. */
export interface FileRecord {
  readonly changes: Map<number, number>
  /** Who brought the file, as far back as the history goes. */
  creator: number
  /** Changes within the 365 days before the last commit. */
  readonly recent: Map<number, number>
}

export interface Activity {
  commits: number
  lastCommitAt: number
  /** A commit in the 365 days before the last commit. */
  active: boolean
}

export interface Authorship {
  readonly records: ReadonlyMap<string, FileRecord>
  /** All people and bots, by id. */
  readonly people: readonly Person[]
  /** People only. */
  readonly activity: ReadonlyMap<number, Activity>
  readonly commitsRead: number
  readonly botCommits: number
  /** The time was up before the history ended. */
  readonly cut: boolean
}

export function authorshipOf({ changes, creator }: FileRecord): number[] {
  return authorsOf(changes, creator)
}

/** Reads the whole history by names and object ids only, and notes who changed the given files, under their present names. */
export async function readAuthorship(
  { repository, signal, expired, progress }: StepContext,
  paths: readonly string[],
): Promise<Authorship> {
  const records = new Map<string, FileRecord>(
    paths.map((path) => [path, { changes: new Map(), creator: -1, recent: new Map() }]),
  )
  const people = createPeople()
  const activity = new Map<number, Activity>()
  /** What a file of an older commit is called now; exact renames only, found by equal object ids. */
  const nowCalled = new Map<string, string>()
  let commitsRead = 0
  let botCommits = 0
  let newest = 0
  const visit = (commit: Commit) => {
    const { id, bot } = people.of(commit.name, commit.email)
    noteRenames(commit, nowCalled, records)
    if (bot) {
      botCommits += 1
      return
    }
    const recent = newest - commit.at <= windowDays * 86_400
    const one = activity.get(id) ?? { commits: 0, lastCommitAt: 0, active: false }
    activity.set(id, one)
    one.commits += 1
    one.lastCommitAt = Math.max(one.lastCommitAt, commit.at)
    one.active ||= recent
    for (const { path } of commit.changes) {
      const record = records.get(nowCalled.get(path) ?? path)
      if (record === undefined) continue
      bump(record.changes, id)
      if (recent) bump(record.recent, id)
      record.creator = id // newest first: the last one to set it is the oldest
    }
  }
  for await (const commit of readHistory(repository, { detail: 'raw', signal })) {
    if (newest === 0) newest = commit.at
    if (expired()) return { records, people: people.all, activity, commitsRead, botCommits, cut: true }
    commitsRead += 1
    progress(`${commitsRead} commits`)
    visit(commit)
  }
  return { records, people: people.all, activity, commitsRead, botCommits, cut: false }
}

function bump(counts: Map<number, number>, id: number): void {
  counts.set(id, (counts.get(id) ?? 0) + 1)
}

function noteRenames(commit: Commit, nowCalled: Map<string, string>, records: ReadonlyMap<string, unknown>): void {
  const deletions = commit.changes.filter((change) => change.status === 'D')
  if (deletions.length === 0) return
  const removed = new Map(deletions.map((change) => [change.oldOid!, change.path]))
  for (const change of commit.changes) {
    if (change.status !== 'A') continue
    const before = removed.get(change.newOid!)
    const now = nowCalled.get(change.path) ?? change.path
    if (before !== undefined && records.has(now) && !records.has(before))
      nowCalled.set(detach(before), now === change.path ? detach(now) : now)
  }
}
