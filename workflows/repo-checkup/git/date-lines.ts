import { openBlobReader } from './blob-reader.ts'
import type { Repository } from './open-repository.ts'
import { showText } from './path-name.ts'
import { readHistory } from './read-history.ts'
import { detach } from './records.ts'

export interface LineOfFile {
  /** Byte string. */
  readonly path: string
  /** The line without surrounding white space, as a byte string. */
  readonly text: string
}

export interface LineOrigin {
  /** Committer time of the commit that brought the line, seconds since 1970. */
  readonly at: number
  readonly author: string
}

interface Version {
  readonly oid: string
  readonly at: number
  readonly author: string
}

interface DateLinesOptions {
  readonly signal: AbortSignal
  readonly expired: () => boolean
  readonly progress: (message: string) => void
}

const maxVersions = 5000
const maxBlobBytes = 4_000_000

/**
 * When lines came into their files. One cheap pass over the history lists the versions of the files concerned; each
 * line is then found by bisection over the versions of its file, which takes a dozen reads where `git blame` would
 * compare them all. A line that was removed and came back is dated by one of its appearances.
 */
export async function dateLines(
  repository: Repository,
  lines: readonly LineOfFile[],
  { signal, expired, progress }: DateLinesOptions,
): Promise<{ origins: (LineOrigin | undefined)[]; newest: number }> {
  const versions = new Map<string, Version[]>(lines.map((line) => [line.path, []]))
  const authors = new Map<string, string>()
  let newest = 0
  let commits = 0
  for await (const { at, name, changes } of readHistory(repository, { detail: 'raw', signal })) {
    newest ||= at
    if (lines.length === 0 || expired()) break
    progress(`${++commits} commits`)
    for (const change of changes) {
      const list = versions.get(change.path)
      if (list === undefined || list.length >= maxVersions || change.status === 'D') continue
      const author = authors.get(name) ?? showText(name).slice(0, 60)
      authors.set(name, author)
      list.push({ oid: detach(change.newOid!), at, author })
    }
  }
  const origins: (LineOrigin | undefined)[] = new Array(lines.length).fill(undefined)
  const order = lines
    .map((_, at) => at)
    .sort((a, b) => (lines[a]!.path < lines[b]!.path ? -1 : lines[a]!.path > lines[b]!.path ? 1 : a - b))
  await using reader = openBlobReader(repository, signal)
  let cache = new Map<string, string>()
  let cachedPath = ''
  let done = 0
  for (const at of order) {
    if (expired()) break
    progress(`${++done} of ${lines.length} lines dated`)
    const { path, text } = lines[at]!
    if (path !== cachedPath) {
      cache = new Map()
      cachedPath = path
    }
    const list = versions.get(path)!
    const contains = async (version: Version) => {
      let content = cache.get(version.oid)
      if (content === undefined) {
        const blob = await reader.read(version.oid)
        content = blob === null || blob.length > maxBlobBytes ? '' : blob.toString('latin1')
        if (cache.size < 64) cache.set(version.oid, content)
      }
      return content.includes(text)
    }
    const origin = await lastHolding(list, contains)
    if (origin !== null) origins[at] = { at: origin.at, author: origin.author }
  }
  return { origins, newest }
}

/** The last item for which `holds` is true, given that it is true for a first stretch and false for the rest; null if for none. */
export async function lastHolding<T>(items: readonly T[], holds: (item: T) => Promise<boolean>): Promise<T | null> {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (await holds(items[middle]!)) low = middle + 1
    else high = middle
  }
  return low === 0 ? null : items[low - 1]!
}
