import type { ProcessEntry } from './process-table.ts'

export interface FamilyTarget {
  readonly marker: string
  /** The process that was started, if it got that far. */
  readonly main: { readonly pid: number; readonly start: string } | null
  /** Processes seen in the family before, by pid with their start: they stay in it though they left every other tie. */
  readonly known?: ReadonlyMap<number, string>
}

/**
 * Tells which processes belong to which target. A process does when it is the one that was started, was seen in the
 * family before, carries the marker, is in the session that the main process made, or descends from one that belongs.
 * Never by pid alone: a number may have passed to a stranger.
 */
export function findFamilies<T extends FamilyTarget>(
  entries: readonly ProcessEntry[],
  targets: Iterable<T>,
  markerOf: (entry: ProcessEntry) => string,
  exclude: ReadonlySet<number> = new Set(),
): Map<T, ProcessEntry[]> {
  const families = new Map<T, ProcessEntry[]>()
  const byMarker = new Map<string, T>()
  const byProcess = new Map<string, T>()
  for (const target of targets) {
    families.set(target, [])
    byMarker.set(target.marker, target)
    if (target.main !== null) byProcess.set(keyOf(target.main), target)
    for (const [pid, start] of target.known ?? []) byProcess.set(keyOf({ pid, start }), target)
  }
  const byPid = new Map(entries.map((entry) => [entry.pid, entry]))
  const owners = new Map<number, T | null>()
  const sessions = new Map<number, T>()

  function ownTie(entry: ProcessEntry): T | null {
    const known = byProcess.get(keyOf(entry))
    if (known !== undefined) return known
    for (const marker of markerOf(entry).split(':')) {
      const target = byMarker.get(marker)
      if (target !== undefined) return target
    }
    return null
  }

  for (const entry of entries) {
    const owner = exclude.has(entry.pid) || entry.pid <= 1 ? null : ownTie(entry)
    if (owner === null) continue
    owners.set(entry.pid, owner)
    if (entry.session === owner.main?.pid) sessions.set(entry.session, owner)
  }

  function ownerOf(entry: ProcessEntry, depth: number): T | null {
    const found = owners.get(entry.pid)
    if (found !== undefined) return found
    if (exclude.has(entry.pid) || entry.pid <= 1 || depth > 1_000) return null
    const parent = byPid.get(entry.parent)
    const owner = sessions.get(entry.session) ?? (parent === undefined ? null : ownerOf(parent, depth + 1))
    owners.set(entry.pid, owner)
    return owner
  }

  for (const entry of entries) {
    const owner = ownerOf(entry, 0)
    if (owner !== null) families.get(owner)?.push(entry)
  }
  return families
}

function keyOf(process: { readonly pid: number; readonly start: string }): string {
  return `${process.pid} ${process.start}`
}
