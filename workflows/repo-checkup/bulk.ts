import { bulkFindings } from './bulk-findings.ts'
import { baseName, showBytes } from './git/path-name.ts'
import { readHistory } from './git/read-history.ts'
import { detach, splitLines } from './git/records.ts'
import { type HeadFile, listHeadFiles } from './head-files.ts'
import { runProgram, type Step, type StepContext } from './program.ts'
import { plural } from './result.ts'

export interface HeavyPath {
  readonly path: string
  /** Contents of it that are stored, small ones not counted. */
  readonly versions: number
  /** Bytes in the packs, compressed, of all versions together. */
  readonly packed: number
  /** Bytes of the largest version. */
  readonly largest: number
  readonly present: boolean
  /** Committer time of the last commit with one of these versions. */
  readonly lastAt: number
}

export interface BulkFacts {
  readonly objects: number
  readonly blobs: number
  /** Bytes of all objects as stored. */
  readonly packed: number
  /** Of that, contents that are not among the present files. */
  readonly packedPast: number
  readonly presentBytes: number
  /** Paths by packed size of all their versions, at most 20. */
  readonly heaviest: readonly HeavyPath[]
  /** Top-level folders whose files were deleted, by packed size; at most 5. */
  readonly deletedFolders: readonly { readonly folder: string; readonly files: number; readonly packed: number }[]
  /** Present files, largest first, at most 12. */
  readonly largestPresent: readonly { readonly path: string; readonly bytes: number }[]
  /** Present files by extension, most bytes first, at most 12. */
  readonly extensions: readonly { readonly extension: string; readonly files: number; readonly bytes: number }[]
}

interface Weight {
  readonly bytes: number
  readonly packed: number
}

const leastPacked = 4096
const maxCandidates = 60_000

export const bulk: Step<BulkFacts> = {
  name: 'bulk',
  about: 'What makes the clone large: the heaviest paths over the whole history, deleted ones included.',
  async run(context) {
    const { repository, signal } = context
    const { files } = await listHeadFiles(repository, signal)
    const { sums, candidates, threshold, cut } = await weighObjects(context, new Set(files.map((file) => file.oid)))
    const { weights, unnamed } = await weighPaths(context, candidates)
    const present = new Set(files.map((file) => file.path))
    const facts: BulkFacts = {
      ...sums,
      presentBytes: files.reduce((sum, file) => sum + file.size, 0),
      heaviest: [...weights]
        .sort((a, b) => b[1].packed - a[1].packed || (a[0] < b[0] ? -1 : 1))
        .slice(0, 20)
        .map(([path, weight]) => ({ path: showBytes(path), ...weight, present: present.has(path) })),
      deletedFolders: sumDeleted(weights, present),
      largestPresent: [...files]
        .sort((a, b) => b.size - a.size)
        .slice(0, 12)
        .map((file) => ({ path: showBytes(file.path), bytes: file.size })),
      extensions: byExtension(files),
    }
    const limits = [
      `Sizes of paths leave out contents below ${threshold / 1024} KiB packed; totals include other branches and objects that nothing refers to any more.`,
    ]
    if (cut) limits.push('The totals are too small: the time limit was reached.')
    if (unnamed > 0)
      limits.push(
        `${plural(unnamed, 'stored content')} of that size are not in the history of this commit (without merges) and have no name here.`,
      )
    return { facts, findings: bulkFindings(facts), limits }
  },
}

/** One pass over the object store. Only contents above a threshold are kept, which rises until they are few enough. */
async function weighObjects({ repository, signal, expired, progress }: StepContext, present: ReadonlySet<string>) {
  const args = [
    'cat-file',
    '--batch-all-objects',
    '--unordered',
    '--batch-check=%(objectname) %(objecttype) %(objectsize) %(objectsize:disk)',
  ]
  const sums = { objects: 0, blobs: 0, packed: 0, packedPast: 0 }
  const candidates = new Map<string, Weight>()
  let threshold = leastPacked
  let cut = false
  for await (const line of splitLines(repository.stream(args, { signal }))) {
    const [oid, type, size, disk] = line.split(' ')
    const packed = Number(disk)
    if (expired()) {
      cut = true
      break
    }
    progress(`${sums.objects} objects`)
    sums.objects += 1
    sums.packed += packed
    if (type !== 'blob') continue
    sums.blobs += 1
    if (!present.has(oid!)) sums.packedPast += packed
    if (packed < threshold) continue
    candidates.set(detach(oid!), { bytes: Number(size), packed })
    if (candidates.size <= maxCandidates) continue
    threshold *= 2
    for (const [key, weight] of candidates) if (weight.packed < threshold) candidates.delete(key)
  }
  return { sums, candidates, threshold, cut }
}

/** Gives each content the path of the newest commit that brought it, and adds up by path. Empties `candidates`. */
async function weighPaths({ repository, signal, expired, progress }: StepContext, candidates: Map<string, Weight>) {
  const weights = new Map<string, { versions: number; packed: number; largest: number; lastAt: number }>()
  let commits = 0
  for await (const commit of readHistory(repository, { detail: 'raw', signal })) {
    progress(`${++commits} commits`)
    if (expired() || candidates.size === 0) break
    for (const { path, newOid } of commit.changes) {
      const weight = candidates.get(newOid!)
      if (weight === undefined) continue
      candidates.delete(newOid!)
      const total = weights.get(path) ?? { versions: 0, packed: 0, largest: 0, lastAt: commit.at }
      if (total.versions === 0) weights.set(detach(path), total)
      total.versions += 1
      total.packed += weight.packed
      total.largest = Math.max(total.largest, weight.bytes)
    }
  }
  return { weights, unnamed: candidates.size }
}

function sumDeleted(weights: ReadonlyMap<string, { readonly packed: number }>, present: ReadonlySet<string>) {
  const folders = new Map<string, { files: number; packed: number }>()
  for (const [path, { packed }] of weights) {
    if (present.has(path) || !path.includes('/')) continue
    const folder = path.slice(0, path.indexOf('/'))
    const total = folders.get(folder) ?? { files: 0, packed: 0 }
    folders.set(folder, total)
    total.files += 1
    total.packed += packed
  }
  return [...folders]
    .sort((a, b) => b[1].packed - a[1].packed)
    .slice(0, 5)
    .map(([folder, total]) => ({ folder: showBytes(folder), ...total }))
}

function byExtension(files: readonly HeadFile[]): BulkFacts['extensions'] {
  const totals = new Map<string, { files: number; bytes: number }>()
  for (const file of files) {
    const extension = /[^/.]\.([A-Za-z0-9_]{1,10})$/.exec(baseName(file.path))?.[1]?.toLowerCase() ?? '(none)'
    const total = totals.get(extension) ?? { files: 0, bytes: 0 }
    totals.set(extension, total)
    total.files += 1
    total.bytes += file.size
  }
  return [...totals]
    .map(([extension, total]) => ({ extension, ...total }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 12)
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(bulk, argv)

if (import.meta.main) await main(process.argv.slice(2))
