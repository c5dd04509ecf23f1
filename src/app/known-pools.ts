import type { TenantId } from '../foundation/kernel/ids.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../foundation/runtime/loop.ts'
import { readRegisteredPools } from '../orchestration/agents/registered-pools.ts'
import { offerOfRegistered, type PoolOffer } from './choose-pool.ts'

export interface KnownPools {
  /** What the agents of all processes offered a moment ago. */
  offers(): readonly PoolOffer[]
  /** Reads them anew. */
  refresh(): Promise<void>
  /** Reads them every second or so, until the caller stops the loop. */
  start(onError: (error: unknown) => void): Loop
}

const pollMs = 1_000

/** The pools that processes on one database bring along, besides those that each knows from its own configuration. */
export function createKnownPools(database: Database, tenant: TenantId): KnownPools {
  let offers: readonly PoolOffer[] = []
  const refresh = async () => {
    // A loop of the process, not a request of the tenant.
    const registered = await database.asSystem('known-pools').read((tx) => readRegisteredPools(tx, tenant))
    offers = registered.map(offerOfRegistered)
  }
  return {
    offers: () => offers,
    refresh,
    start: (onError) => createLoop({ pollMs, idle: { pulse: database.pulse }, onError, step: refresh }),
  }
}
