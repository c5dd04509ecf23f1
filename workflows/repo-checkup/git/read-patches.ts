import { isAppError } from '../../../src/foundation/kernel/errors.ts'
import type { Repository } from './open-repository.ts'
import { unquoteGitPath } from './path-name.ts'
import { splitLines } from './records.ts'

/** Lines that a commit added in one place. */
export interface Hunk {
  readonly commit: { readonly oid: string; readonly at: number; readonly author: string }
  /** Byte string. */
  readonly path: string
  /** Line number of the first added line, in the file after the commit. */
  readonly start: number
  readonly lines: readonly string[]
}

export interface PatchReader {
  /** Called at each commit with its committer time; false ends the reading. */
  readonly onCommit: (at: number) => boolean
  /** Decides by its path whether a file is worth looking at. */
  readonly wants: (path: string) => boolean
  readonly visit: (hunk: Hunk) => void
}

const maxGaps = 50

/**
 * Every line that commits without merges added, newest commit first. Files above 2 MB and binary files have no lines.
 * A commit whose objects are not all here is passed over; returned is how many were, and `gaveUp` after fifty.
 */
export async function readPatches(
  repository: Repository,
  reader: PatchReader,
  signal?: AbortSignal,
): Promise<{ readonly gaps: number; readonly gaveUp: boolean }> {
  const args = [
    'log',
    '-p',
    '-U0',
    '--no-merges',
    '--no-renames',
    '--no-color',
    '--no-notes',
    '--no-indent-heuristic',
    '--src-prefix=a/',
    '--dst-prefix=b/',
    '--encoding=UTF-8',
    '--format=%x01%H%x00%ct%x00%aN',
  ]
  let done = 0
  let gaps = 0
  for (;;) {
    const before = done
    const onCommit = (at: number) => {
      done += 1
      return reader.onCommit(at)
    }
    const output = repository.stream([...args, `--skip=${done}`, repository.commit!, '--'], signal && { signal })
    try {
      await parsePatches(splitLines(output), { ...reader, onCommit })
      return { gaps, gaveUp: false }
    } catch (error) {
      if (!isAppError(error, 'git-failed')) throw error
      gaps += 1
      if (gaps >= maxGaps) return { gaps, gaveUp: true }
      if (done === before) done += 1
    }
  }
}

/**
 * Reads `git log -p -U0`. The counts in `@@ -a,b +c,d @@` say which lines are content, so content that looks like a
 * header cannot mislead it.
 */
export async function parsePatches(
  lines: AsyncIterable<string>,
  { onCommit, wants, visit }: PatchReader,
): Promise<void> {
  let commit: Hunk['commit'] | null = null
  let path: string | null = null
  let removed = 0
  let added = 0
  let start = 0
  let hunk: string[] = []
  for await (const line of lines) {
    if (removed > 0 && line.startsWith('-')) {
      removed -= 1
    } else if (added > 0 && line.startsWith('+')) {
      added -= 1
      if (path !== null) hunk.push(line.slice(1))
      if (added === 0 && path !== null && commit !== null) {
        visit({ commit, path, start, lines: hunk })
        hunk = []
      }
    } else if (line.startsWith('@@ ')) {
      const match = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line)
      if (match === null) continue
      removed = Number(match[1] ?? 1)
      start = Number(match[2])
      added = Number(match[3] ?? 1)
      hunk = []
    } else if (line.startsWith('\x01')) {
      const [oid, at, author] = line.slice(1).split('\0')
      commit = { oid: oid!, at: Number(at), author: Buffer.from(author ?? '', 'latin1').toString('utf8') }
      path = null
      if (!onCommit(commit.at)) return
    } else if (line.startsWith('+++ ')) {
      const name = unquoteGitPath(line.slice(4).replace(/\t$/, '')).replace(/^b\//, '')
      path = wants(name) ? name : null
    }
  }
}
