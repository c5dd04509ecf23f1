import { type BlobReader, openBlobReader } from './git/blob-reader.ts'
import { listTree, type TreeEntry } from './git/list-tree.ts'
import type { Repository } from './git/open-repository.ts'
import { baseName } from './git/path-name.ts'
import { type FileRole, looksGenerated, roleOfPath } from './rules/file-roles.ts'
import { type Language, languageOfName, languageOfShebang } from './rules/languages.ts'

/** A regular file of the commit looked at, as its name tells. */
export interface HeadFile extends TreeEntry {
  readonly size: number
  readonly role: FileRole
  readonly language: Language | null
}

/** The same after its content was seen: shebangs and generated-code markers are taken into account. */
export interface TextFile extends HeadFile {
  /** The bytes as latin1, so that nothing is lost or rejected; decode what is shown with `showBytes`. */
  readonly text: string
}

export interface HeadTree {
  readonly files: readonly HeadFile[]
  readonly symlinks: number
  readonly submodules: readonly string[]
  /** Blobs this clone does not have. */
  readonly missing: number
}

/** Everything in the tree of the commit looked at, by name only. About 150 bytes of memory a file. */
export async function listHeadFiles(repository: Repository, signal?: AbortSignal): Promise<HeadTree> {
  const files: HeadFile[] = []
  const submodules: string[] = []
  let symlinks = 0
  let missing = 0
  if (repository.commit === null) return { files, symlinks, submodules, missing }
  for await (const entry of listTree(repository, repository.commit, { signal })) {
    if (entry.type === 'commit') submodules.push(entry.path)
    else if (entry.mode === '120000') symlinks += 1
    else if (entry.size === null) missing += 1
    else files.push(describeFile(entry, entry.size))
  }
  return { files, symlinks, submodules, missing }
}

export function describeFile(entry: TreeEntry, size: number): HeadFile {
  return { ...entry, size, role: roleOfPath(entry.path), language: languageOfName(baseName(entry.path)) }
}

export interface TextLimits {
  /** Larger files are not loaded. */
  readonly maxFileBytes: number
  /** Reading stops after so many bytes in all. */
  readonly maxTotalBytes: number
  /** Says when the time is up. */
  readonly expired: () => boolean
  readonly signal?: AbortSignal | undefined
}

export interface TextSkips {
  tooLarge: number
  binary: number
  notReached: number
}

export const noSkips = (): TextSkips => ({ tooLarge: 0, binary: 0, notReached: 0 })

export const maxTextBytes = 1_000_000
const readAheadFiles = 64
const readAheadBytes = 8_000_000

/** Reads the given files in order and yields those that are text. What was passed over is counted in `skips`. */
export async function* readTextFiles(
  repository: Repository,
  files: readonly HeadFile[],
  limits: TextLimits,
  skips: TextSkips = noSkips(),
): AsyncGenerator<TextFile, void, void> {
  await using reader = openBlobReader(repository, limits.signal)
  let total = 0
  const chosen: HeadFile[] = []
  for (const file of files) {
    if (file.size > limits.maxFileBytes) skips.tooLarge += 1
    else if (total + file.size > limits.maxTotalBytes) skips.notReached += 1
    else {
      total += file.size
      chosen.push(file)
    }
  }
  let done = 0
  for await (const [file, content] of readAhead(reader, chosen)) {
    if (limits.expired()) {
      skips.notReached += chosen.length - done
      return
    }
    done += 1
    if (content === null || isBinary(content)) skips.binary += 1
    else yield seeContent(file, content.toString('latin1'))
  }
}

async function* readAhead(
  reader: BlobReader,
  files: readonly HeadFile[],
): AsyncGenerator<readonly [HeadFile, Buffer | null]> {
  const window: { file: HeadFile; content: Promise<Buffer | null> }[] = []
  let bytes = 0
  let next = 0
  while (window.length > 0 || next < files.length) {
    while (
      next < files.length &&
      window.length < readAheadFiles &&
      (window.length === 0 || bytes + files[next]!.size <= readAheadBytes)
    ) {
      const file = files[next++]!
      const content = reader.read(file.oid)
      content.catch(() => {}) // awaited below, in order
      window.push({ file, content })
      bytes += file.size
    }
    const { file, content } = window.shift()!
    bytes -= file.size
    yield [file, await content]
  }
}

/** Git's own rule: a NUL among the first 8,000 bytes. UTF-16 text counts as binary, as it does for git. */
export function isBinary(content: Buffer): boolean {
  const nul = content.indexOf(0)
  return nul >= 0 && nul < 8000
}

function seeContent(file: HeadFile, text: string): TextFile {
  let { language, role } = file
  if (language === null && text.startsWith('#!')) language = languageOfShebang(text.slice(0, 200).split('\n', 1)[0]!)
  const name = baseName(file.path)
  if (
    (role === 'source' || role === 'test' || role === 'example') &&
    looksGenerated(text, name.slice(name.lastIndexOf('.') + 1))
  ) {
    role = 'generated'
  }
  return { ...file, language, role, text }
}

/** Written by hand and executable by nature: what ratios, ownership and hot spots are about. */
export function isCode(file: Pick<HeadFile, 'role' | 'language'>): boolean {
  return file.language?.use === 'code' && (file.role === 'source' || file.role === 'test')
}

/** Number of lines, counting a last one without line feed. */
export function countLines(text: string): number {
  if (text === '') return 0
  let lines = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines += 1
  return text.endsWith('\n') ? lines : lines + 1
}
