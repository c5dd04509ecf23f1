import type { Database } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { dropOldCalls } from './calls-store.ts'
import { dropOldModelKeys } from './keys/keys-store.ts'

export interface ModelUpkeepOptions {
  readonly database: Database
  /** How long calls stay in the lists, ms. Default 90 days, as the ledger. */
  readonly keepMs?: number
  readonly onError: (error: unknown) => void
}

const day = 86_400_000
const everyMs = 600_000

/** Forgets keys that ended a day ago, calls that are old, and contents whose time is up. */
export function startModelUpkeep({ database, keepMs = 90 * day, onError }: ModelUpkeepOptions): Loop {
  return createLoop({
    pollMs: everyMs,
    onError,
    step: async () => {
      const now = database.clock.now()
      const gone = await database.asSystem('model-upkeep').write(async (tx) => {
        const keys = await dropOldModelKeys(tx, new Date(now.getTime() - day))
        return keys + (await dropOldCalls(tx, new Date(now.getTime() - keepMs), now))
      })
      return gone > 0
    },
  })
}
