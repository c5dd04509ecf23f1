import { setTimeout as delay } from 'node:timers/promises'
import { folderBytes } from './folder-bytes.ts'
import type { LimitBreach } from './process-limits.ts'

const everyMs = 2_000
const mostEntries = 200_000

export interface DiskWatchOptions {
  readonly folders: readonly string[]
  /** How much may come to what is there at the beginning. */
  readonly limitBytes: number
  readonly onBreach: (breach: LimitBreach) => void
  /** Ends the watch. */
  readonly signal: AbortSignal
  /** Milliseconds between two looks. Default 2,000. */
  readonly everyMs?: number
}

/**
 * Looks at folders again and again until they have grown beyond the limit, or the signal aborts. No quota of the file
 * system: what is written and removed between two looks is not seen, and folders of very many files not at all.
 */
export async function watchDisk(options: DiskWatchOptions): Promise<void> {
  const { folders, limitBytes, onBreach, signal } = options
  const before = (await folderBytes(folders, mostEntries, signal)) ?? 0
  while (!signal.aborted) {
    await delay(options.everyMs ?? everyMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    const now = await folderBytes(folders, mostEntries, signal)
    if (now === null || now - before <= limitBytes) continue
    onBreach({ resource: 'disk', used: now - before, limit: limitBytes })
    return
  }
}
