import type { TenantId } from '../../foundation/kernel/ids.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { tenantStates } from './tenant-states-contract.ts'
import { countRows, deleteRows, listTenantTables } from './tenant-tables.ts'
import type { TenantWork } from './tenant-work.ts'
import type { Purge } from './tenants-contract.ts'
import { lockTenant, nextToPurge, setTenantState, type TenantRow } from './tenants-store.ts'

export interface PurgeOptions {
  readonly database: Database
  readonly blobs: BlobStore
  readonly work: TenantWork
  readonly onError: (error: unknown) => void
  /** How long runs may take to end before their rows go all the same, ms. Default 30,000. */
  readonly patienceMs?: number
  /** Default 2,000 ms. */
  readonly pollMs?: number
}

/** Empties tenants that are to be deleted, one after the other. */
export function startTenantPurge(options: PurgeOptions): Loop {
  return createLoop({
    step: (signal) => purgeNext(options, signal),
    pollMs: options.pollMs ?? 2_000,
    idle: { pulse: options.database.pulse, pollMs: 10_000 },
    onError: options.onError,
  })
}

/** One attempt at the oldest. Returns true where a tenant was found to be empty and is deleted now. */
export async function purgeNext(options: PurgeOptions, signal: AbortSignal): Promise<boolean> {
  const { database, work, patienceMs = 30_000 } = options
  const tenant = await database.asSystem('tenant-purge').read(nextToPurge)
  if (tenant === null) return false
  const waited = database.clock.now().getTime() - (tenant.changedAt ?? tenant.createdAt).getTime()
  if ((await work.end(tenant.id)) > 0 && waited < patienceMs) return false
  const removed = await empty(options, tenant.id, signal)
  return confirm(options, tenant, removed)
}

interface Removed {
  readonly tables: Readonly<Record<string, number>>
  readonly blobs: number
}

async function empty({ database, blobs }: PurgeOptions, tenant: TenantId, signal: AbortSignal): Promise<Removed> {
  let contents = 0
  for await (const { key } of blobs.list(`${tenant}/`)) {
    signal.throwIfAborted()
    await blobs.delete(key)
    contents += 1
  }
  const tables: Record<string, number> = {}
  for (const table of await database.asSystem('tenant-purge').read(listTenantTables)) {
    signal.throwIfAborted()
    tables[table] = await database.asSystem('tenant-purge').write((tx) => deleteRows(tx, table, tenant))
  }
  return { tables, blobs: contents }
}

/**
 * The proof: in one transaction every table is counted and the tenant becomes deleted. Where something has been written
 * meanwhile, nothing is said and the next attempt removes that too.
 */
async function confirm({ database, blobs }: PurgeOptions, { id }: TenantRow, removed: Removed): Promise<boolean> {
  for await (const _ of blobs.list(`${id}/`)) return false
  return database.asSystem('tenant-purge').write(async (tx) => {
    const tenant = await lockTenant(tx, id)
    if (tenant === null || tenant.state !== 'deleting') return false
    const tables: Purge['tables'] = {}
    for (const table of await listTenantTables(tx)) {
      const left = await countRows(tx, table, id)
      if (left > 0) return false
      tables[table] = { removed: removed.tables[table] ?? 0, left }
    }
    const now = database.clock.now()
    const purge = { at: now.toISOString(), tables, blobs: { removed: removed.blobs, left: 0 } }
    const state = transition(tenantStates, `tenant ${id}`, tenant.state, 'purged')
    await setTenantState(tx, id, { state, reason: tenant.reason, purge, now })
    // The tenant's own log is gone with it: who runs the installation finds the end in his.
    const subject = { kind: 'tenant', id, rev: tenant.rev + 1 }
    await appendEvents(tx, [
      { tenant: 'default' as TenantId, type: 'tenant.deleted', subject, runId: null, at: now, data: { state } },
    ])
    return true
  })
}
