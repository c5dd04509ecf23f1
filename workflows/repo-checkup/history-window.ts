import type { Repository } from './git/open-repository.ts'
import { type Commit, type HistoryOptions, readHistory } from './git/read-history.ts'
import { plural, showDay } from './result.ts'

/** The recent past that "now" questions are asked of. */
export interface HistoryWindow {
  readonly commits: number
  /** Committer time of the oldest and the newest commit in it, seconds since 1970. */
  readonly from: number
  readonly to: number
  /** Null when the window is whole; otherwise why it ends early. */
  readonly cut: 'time' | 'count' | null
}

export const windowDays = 365
const minCommits = 200
const maxCommits = 20_000
/** A few commits with odd clocks must not end the window. */
const patience = 200

/** Committer times between which a window lies, both included. */
export type WindowBounds = Pick<HistoryWindow, 'from' | 'to'>

/** The window of the whole repository, for questions about a part of it. Reads no changes, so it costs next to nothing. */
export async function findWindow(repository: Repository, signal: AbortSignal): Promise<WindowBounds> {
  return visitWindow(repository, { detail: 'none', signal, expired: () => false }, () => {})
}

/**
 * The commits (no merges) of the 365 days before the commit looked at, or the newest 200 where the year has fewer, at
 * most 20,000; newest first; or those within `bounds`. `visit` sees each one. Ends early when `expired` says so.
 */
export async function visitWindow(
  repository: Repository,
  options: Pick<HistoryOptions, 'detail' | 'paths' | 'signal'> & {
    readonly expired: () => boolean
    readonly bounds?: WindowBounds
  },
  visit: (commit: Commit) => void,
): Promise<HistoryWindow> {
  let commits = 0
  let from = 0
  let to = 0
  let old = 0
  let cut: HistoryWindow['cut'] = null
  for await (const commit of readHistory(repository, options)) {
    if (to === 0) to = commit.at
    const { bounds } = options
    const inside =
      bounds === undefined
        ? to - commit.at <= windowDays * 86_400 || commits < minCommits
        : commit.at >= bounds.from && commit.at <= bounds.to
    if (!inside) {
      old += 1
      if (old > patience) break
      continue
    }
    if (commits >= maxCommits || options.expired()) {
      cut = commits >= maxCommits ? 'count' : 'time'
      break
    }
    commits += 1
    from = from === 0 ? commit.at : Math.min(from, commit.at)
    visit(commit)
  }
  return { commits, from: options.bounds?.from ?? from, to: options.bounds?.to ?? to, cut }
}

/** `1,234 commits, 2025-08-14 to 2026-08-14`. */
export function showWindow({ commits, from, to }: HistoryWindow): string {
  return `${plural(commits, 'commit')} without merges, ${showDay(from)} to ${showDay(to)}`
}

export function windowLimits(window: HistoryWindow): string[] {
  if (window.cut === null) return []
  return [
    `Recent changes cover ${showWindow(window)} only: the ${window.cut === 'time' ? 'time limit' : 'limit of 20,000 commits'} was reached.`,
  ]
}
