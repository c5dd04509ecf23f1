import { isAppError } from '../../../src/foundation/kernel/errors.ts'
import type { Repository } from './open-repository.ts'
import { splitRecords } from './records.ts'

export interface Change {
  /** Byte string. */
  readonly path: string
  /** Lines; both null for a binary file, one above 2 MB, and in `raw` mode. */
  readonly added: number | null
  readonly deleted: number | null
  /** A, M, D or T; only in `raw` mode. */
  readonly status?: string
  readonly oldOid?: string
  readonly newOid?: string
}

export interface Commit {
  readonly oid: string
  /** Committer time, seconds since 1970. */
  readonly at: number
  /** After .mailmap of the commit looked at; UTF-8 text. */
  readonly name: string
  readonly email: string
  readonly subject: string
  readonly changes: readonly Change[]
}

export type Detail = 'lines' | 'raw' | 'none'

export interface HistoryOptions {
  /** `lines` compares contents (about 1 ms a commit), `raw` only names and object ids (about 0.1 ms), `none` lists no changes. */
  readonly detail: Detail
  readonly maxCommits?: number
  /** Git pathspecs; only commits that touch them are listed, with the changes inside them. */
  readonly paths?: readonly string[]
  readonly signal?: AbortSignal | undefined
}

const fields = '%x01%H%x00%ct%x00%aN%x00%aE%x00%s%x00'
const decode = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8')

const detailArguments = {
  lines: ['--numstat', '--no-renames'],
  raw: ['--raw', '--no-abbrev', '--no-renames'],
  none: [],
} as const
/** What can still be told of a commit whose contents, or whose folders, are not in this clone. */
const weaker: Readonly<Record<Detail, Detail | null>> = { lines: 'raw', raw: 'none', none: null }
const maxGaps = 20

/**
 * Commits without merges, newest first, one at a time: memory does not grow with the history. Where objects are not in
 * this clone, `lines` falls back to `raw` and `raw` to `none` for that commit, and after twenty such commits for the rest.
 */
export async function* readHistory(
  repository: Repository,
  options: HistoryOptions,
): AsyncGenerator<Commit, void, void> {
  if (repository.commit === null) return
  const count = options.maxCommits ?? Number.POSITIVE_INFINITY
  let detail: Detail = options.detail
  let done = 0
  let gaps = 0
  /** The detail in which the next commit alone is asked for; null: all the rest is, in `detail`. */
  let single: Detail | null = null
  for (;;) {
    const asked: Detail = single ?? detail
    const before = done
    try {
      const most = single === null ? count - done : 1
      for await (const commit of readStretch(repository, { ...options, detail: asked }, done, most)) {
        done += 1
        yield commit
      }
      if (single === null || done === before) return
      single = null
    } catch (error) {
      const less: Detail | null = weaker[asked]
      if (less === null || !isAppError(error, 'git-failed')) throw error
      if (single === null) gaps += 1
      if (gaps > maxGaps) {
        detail = less
        single = null
        gaps = 0
      } else single = less
    }
  }
}

async function* readStretch(
  repository: Repository,
  options: HistoryOptions,
  skip: number,
  count: number,
): AsyncGenerator<Commit, void, void> {
  const args = [
    'log',
    '-z',
    '--no-merges',
    '--no-notes',
    '--encoding=UTF-8',
    `--format=${fields}`,
    ...detailArguments[options.detail],
    ...(skip === 0 ? [] : [`--skip=${skip}`]),
    ...(Number.isFinite(count) ? [`--max-count=${count}`] : []),
    repository.commit!,
    '--',
    ...(options.paths ?? []),
  ]
  yield* parseHistory(splitRecords(repository.stream(args, options.signal && { signal: options.signal })))
}

/** A record that begins with 0x01 opens a commit (four more fields follow); a change begins with a digit, `-` or `:`. */
export async function* parseHistory(records: AsyncIterable<string>): AsyncGenerator<Commit, void, void> {
  let head: string[] = []
  let changes: Change[] = []
  let raw: string | null = null
  const finish = (): Commit => ({
    oid: head[0]!.slice(1),
    at: Number(head[1]),
    name: decode(head[2]!),
    email: decode(head[3]!),
    subject: decode(head[4]!),
    changes,
  })
  for await (const record of records) {
    if (raw !== null) {
      changes.push(rawChange(raw, record))
      raw = null
    } else if (head.length > 0 && head.length < 5) {
      head.push(record)
    } else if (record.startsWith('\x01')) {
      if (head.length === 5) yield finish()
      head = [record]
      changes = []
    } else {
      const text = record.startsWith('\n') ? record.slice(1) : record
      if (text.startsWith(':')) raw = text
      else if (text !== '') changes.push(lineChange(text))
    }
  }
  if (head.length === 5) yield finish()
}

function lineChange(record: string): Change {
  const first = record.indexOf('\t')
  const second = record.indexOf('\t', first + 1)
  const added = record.slice(0, first)
  const count = (text: string) => (text === '-' ? null : Number(text))
  return { path: record.slice(second + 1), added: count(added), deleted: count(record.slice(first + 1, second)) }
}

function rawChange(header: string, path: string): Change {
  const [, , oldOid, newOid, status] = header.split(' ')
  return { path, added: null, deleted: null, status: status!.charAt(0), oldOid: oldOid!, newOid: newOid! }
}
