import type { BulkFacts } from './bulk.ts'
import { type Finding, percent, plural, showDay, showSize } from './result.ts'

const large = 5_000_000

export function bulkFindings(facts: BulkFacts): Finding[] {
  return [...deleted(facts), ...rewritten(facts), ...present(facts)]
}

function deleted({ heaviest, deletedFolders, packed }: BulkFacts): Finding[] {
  const gone = heaviest.filter((path) => !path.present && path.packed > 500_000)
  const folders = deletedFolders.filter((folder) => folder.packed > 1_000_000)
  const bytes = Math.max(
    folders.reduce((sum, f) => sum + f.packed, 0),
    gone.reduce((sum, p) => sum + p.packed, 0),
  )
  if (bytes < large || bytes / packed < 0.1) return []
  return [
    {
      id: 'bulk/deleted',
      score: Math.min(55, 28 + (bytes / packed) * 30),
      title: `At least ${percent(bytes, packed)} of the ${showSize(packed)} in every clone are files that were deleted long ago`,
      why: 'Every developer and every CI job still downloads them.',
      next: 'In CI clone with --depth or --filter=blob:none. Rewriting the history (git filter-repo) is the last resort: it breaks every clone and link.',
      evidence: [
        ...folders.map(
          (folder) => `${folder.folder}/: ${showSize(folder.packed)} packed, ${plural(folder.files, 'deleted file')}`,
        ),
        ...gone
          .slice(0, 5)
          .map(
            (path) =>
              `${path.path}: ${showSize(path.packed)} packed in ${plural(path.versions, 'version')}, last ${showDay(path.lastAt)}`,
          ),
      ].slice(0, 10),
    },
  ]
}

function rewritten({ heaviest, packed }: BulkFacts): Finding[] {
  const heavy = heaviest.filter(
    (path) => path.present && path.versions >= 10 && path.packed > 1_000_000 && path.packed / packed > 0.03,
  )
  const first = heavy[0]
  if (first === undefined) return []
  const bytes = heavy.reduce((sum, path) => sum + path.packed, 0)
  return [
    {
      id: 'bulk/rewritten',
      score: Math.min(45, 24 + (bytes / packed) * 40),
      title: `${plural(heavy.length, 'file')} that ${heavy.length === 1 ? 'is' : 'are'} rewritten again and again make up ${percent(bytes, packed)} of the clone; first ${first.path}`,
      why: 'Files that do not compress against their last version (generated, sorted anew, minified, binary) are stored whole each time.',
      next: 'Generate them in the build instead of committing them, or make their output stable (sorted, one item a line).',
      evidence: heavy.map(
        (path) => `${path.path}: ${plural(path.versions, 'version')}, ${showSize(path.packed)} packed`,
      ),
    },
  ]
}

function present({ largestPresent, presentBytes }: BulkFacts): Finding[] {
  const here = largestPresent.filter((file) => file.bytes > large)
  if (here.length === 0) return []
  const bytes = here.reduce((sum, file) => sum + file.bytes, 0)
  return [
    {
      id: 'bulk/present',
      score: Math.min(52, 30 + here.length + bytes / 1e7),
      title: `${plural(here.length, 'present file')} above 5 MB: ${percent(bytes, presentBytes)} of the working tree`,
      why: 'Git keeps every version whole: each change of such a file adds its size to all clones for ever.',
      next: 'Move data and media to a release, a bucket or Git LFS before they change again.',
      evidence: here.map((file) => `${file.path}: ${showSize(file.bytes)}`),
    },
  ]
}
