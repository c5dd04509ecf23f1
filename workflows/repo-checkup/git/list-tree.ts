import type { Repository } from './open-repository.ts'
import { splitRecords } from './records.ts'

export interface TreeEntry {
  /** Six octal digits: 100644, 100755, 120000 (symlink), 160000 (submodule), 040000 (folder). */
  readonly mode: string
  readonly type: 'blob' | 'commit' | 'tree'
  readonly oid: string
  /** Bytes; null for folders and submodules, and for blobs that are not in this clone. */
  readonly size: number | null
  /** Byte string; show it with `showBytes`. */
  readonly path: string
}

/** The entries of a commit's tree (all files, or one level with `recursive: false`) in git's order. */
export async function* listTree(
  repository: Repository,
  treeish: string,
  options: { readonly recursive?: boolean; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<TreeEntry, void, void> {
  const args = ['ls-tree', '-z', '-l', '--full-tree', ...(options.recursive === false ? [] : ['-r']), treeish]
  for await (const record of splitRecords(repository.stream(args, options.signal && { signal: options.signal }))) {
    yield parseTreeEntry(record)
  }
}

export function parseTreeEntry(record: string): TreeEntry {
  const tab = record.indexOf('\t')
  const [mode, type, oid, size] = record.slice(0, tab).split(/ +/)
  return {
    mode: mode!,
    type: type as TreeEntry['type'],
    oid: oid!,
    size: /^\d+$/.test(size!) ? Number(size) : null,
    path: record.slice(tab + 1),
  }
}
