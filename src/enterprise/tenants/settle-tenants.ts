import type { Database } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type { TenantWork } from './tenant-work.ts'
import { addPausedRuns, listUnsettled, removePausedRuns, type TenantRow } from './tenants-store.ts'

export interface SettlingOptions {
  readonly database: Database
  readonly work: TenantWork
  readonly onError: (error: unknown) => void
}

/** A request that was let in just before its tenant was suspended may begin a run so much later, ms. */
const lateMs = 120_000

/**
 * Makes the work of a tenant stand as the tenant does: what runs is paused where it is suspended, what was paused with it
 * goes on where it is active. Doing it again changes nothing.
 */
export async function settleTenant(
  { database, work }: Omit<SettlingOptions, 'onError'>,
  row: TenantRow,
): Promise<void> {
  const system = database.asSystem('tenants')
  if (row.state === 'suspended') {
    const paused = await work.pause(row.id)
    await system.write((tx) => addPausedRuns(tx, row.id, paused))
    return
  }
  const paused = row.pausedRuns ?? []
  await work.resume(row.id, paused)
  await system.write((tx) => removePausedRuns(tx, row.id, paused))
}

/** Goes after what began late, and ends what a killed process has begun. */
export function startSettlingTenants(options: SettlingOptions): Loop {
  const { database, onError } = options
  return createLoop({
    pollMs: 5_000,
    idle: { pulse: database.pulse, pollMs: 30_000 },
    onError,
    step: async (signal) => {
      const after = new Date(database.clock.now().getTime() - lateMs)
      for (const row of await database.asSystem('tenants').read((tx) => listUnsettled(tx, after))) {
        if (signal.aborted) return
        await settleTenant(options, row)
      }
    },
  })
}
