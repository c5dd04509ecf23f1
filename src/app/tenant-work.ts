import { standingOf, type TenantWork } from '../enterprise/tenants/index.ts'
import { releaseReceipts } from '../external-api/webhooks/index.ts'
import { isAppError } from '../foundation/kernel/errors.ts'
import type { TenantId } from '../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../foundation/platform/database/database.ts'
import type { RunRow } from '../orchestration/runs/run-rows.ts'
import type { RunView } from '../orchestration/runs/runs-contract.ts'
import type { RunsService } from '../orchestration/runs/runs-service.ts'
import { listRunRows } from '../orchestration/runs/runs-store.ts'
import { releaseSchedules } from '../orchestration/schedules/schedules-store.ts'

/** Runs at a time. A tenant that holds more is worked off in several rounds. */
const atOnce = 500

/** A tenant that is suspended or on its way out starts nothing. */
export async function isTenantOpen(tx: ReadTx, tenant: TenantId): Promise<boolean> {
  return (await standingOf(tx, tenant, null)).tenantState === 'active'
}

/** What goes on in a tenant, as its life commands it: its runs, and what would start further ones. */
export function createTenantWork(database: Database, runs: RunsService): TenantWork {
  const inStates = async (tenant: TenantId, states: readonly RunView['state'][]): Promise<readonly RunRow[]> => {
    const found: RunRow[] = []
    for (const state of states) {
      const filter = { state, workflow: undefined, before: null, limit: atOnce }
      found.push(...(await database.forTenant(tenant).read((tx) => listRunRows(tx, tenant, filter))))
    }
    return found
  }
  return {
    async pause(tenant) {
      const paused: string[] = []
      for (;;) {
        const open = await inStates(tenant, ['pending', 'running', 'waiting'])
        const before = paused.length
        for (const { id } of open) if (await unlessEnded(() => runs.pause(tenant, id))) paused.push(id)
        if (open.length < atOnce || paused.length === before) return paused
      }
    },
    async resume(tenant, ids) {
      for (const id of ids) await unlessEnded(() => runs.resume(tenant, id))
      await database.forTenant(tenant).write(async (tx) => {
        const now = database.clock.now()
        await releaseSchedules(tx, tenant, now)
        await releaseReceipts(tx, tenant, now)
      })
    },
    async end(tenant) {
      const open = await inStates(tenant, ['pending', 'running', 'waiting', 'paused'])
      for (const run of open) {
        if (!run.cancelRequested) await unlessEnded(() => runs.cancel(tenant, run.id, 'the tenant is being deleted'))
      }
      return open.length
    },
  }
}

/** A run that has ended meanwhile, or is in another state, wants nothing of it any more. */
async function unlessEnded(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    if (isAppError(error) && (error.kind === 'conflict' || error.kind === 'not-found')) return false
    throw error
  }
}
