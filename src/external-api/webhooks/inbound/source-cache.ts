import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import type { Source } from './source.ts'
import { findSourceAt } from './sources-store.ts'

/** Hints that a source was changed; the payload is its id, or `*` for all. */
export const sourceChannel = 'lv_webhook_sources'

export interface SourceCache extends Disposable {
  /** The source at an address; null where there is none. `stopped`: its tenant takes nothing at present. */
  find(id: string): Promise<{ readonly source: Source; readonly stopped: boolean } | null>
}

/** Looks addresses up, at most once in `keepMs` for each (default 2,000), so that a flood reads no rows. */
export function createSourceCache(
  database: Database,
  isOpen: (tenant: TenantId) => Promise<boolean>,
  keepMs = 2_000,
  mostKept = 10_000,
): SourceCache {
  const system = database.asSystem('webhook-sources')
  type Found = Awaited<ReturnType<SourceCache['find']>>
  const kept = new Map<string, { readonly found: Promise<Found>; readonly until: number }>()
  const look = async (id: string): Promise<Found> => {
    const found = await system.read((tx) => findSourceAt(tx, id))
    if (found === null) return null
    return { ...found, stopped: found.stopped || !(await isOpen(found.source.tenant)) }
  }
  const unlisten = database.listen(sourceChannel, (id) => (id === '*' ? kept.clear() : kept.delete(id)))
  return {
    find(id) {
      const now = database.clock.monotonic()
      const known = kept.get(id)
      if (known !== undefined && known.until > now) return known.found
      kept.delete(id)
      const found = look(id)
      // Made-up addresses must not fill the memory: the oldest entry makes room.
      if (kept.size >= mostKept) kept.delete(kept.keys().next().value!)
      kept.set(id, { found, until: now + keepMs })
      found.catch(() => kept.delete(id))
      return found
    },
    [Symbol.dispose]: unlisten,
  }
}
