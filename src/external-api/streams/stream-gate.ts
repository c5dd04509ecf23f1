import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { streamErrors } from './streams-errors.ts'

/** Hints that a tenant's streams were stopped; the payload is the tenant. */
const stopChannel = 'lv_streams_stopped'

/** Lets streams through, or not: a switch for each tenant, the same in all replicas. */
export interface StreamGate extends Disposable {
  isStopped(tenant: TenantId): Promise<boolean>
  /** Throws `streams-stopped`; the signal is aborted with it if the streams are stopped later. */
  pass(tenant: TenantId, signal: AbortSignal): Promise<AbortSignal>
  set(tenant: TenantId, stopped: boolean): Promise<void>
}

export function createStreamGate(database: Database): StreamGate {
  const open = new Map<string, AbortController>()
  const unlisten = database.listen(stopChannel, (tenant) => {
    open.get(tenant)?.abort(stopped())
    open.delete(tenant)
  })
  const isStopped = (tenant: TenantId) => database.forTenant(tenant).read((tx) => readStopped(tx, tenant))
  return {
    isStopped,
    async pass(tenant, signal) {
      const stop = open.get(tenant) ?? new AbortController()
      open.set(tenant, stop)
      if (await isStopped(tenant)) throw stopped()
      return AbortSignal.any([signal, stop.signal])
    },
    async set(tenant, to) {
      const now = database.clock.now()
      await database.forTenant(tenant).write(async (tx) => {
        await tx.execute(sql`
          insert into stream_settings (tenant_id, stopped_at, updated_at) values (${tenant}, ${to ? now : null}, ${now})
          on conflict (tenant_id) do update set stopped_at = excluded.stopped_at, updated_at = excluded.updated_at`)
        if (to) tx.afterCommit(() => database.notify(stopChannel, tenant))
      })
    },
    [Symbol.dispose]: unlisten,
  }
}

async function readStopped(tx: ReadTx, tenant: TenantId): Promise<boolean> {
  const rows = await tx.query(sql`
    select 1 from stream_settings where tenant_id = ${tenant} and stopped_at is not null`)
  return rows.length > 0
}

function stopped(): Error {
  return streamErrors['streams-stopped']('streams are stopped', { details: { retryAfterMs: 60_000 } })
}
