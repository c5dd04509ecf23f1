import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { Source } from './source.ts'

const columns: Query = sql`tenant_id as tenant, id, name, preset, secrets, key_id as "keyId",
  secret_version as "secretVersion", previous_until as "previousUntil", options, rules,
  jsonb_build_object('limit', rate_limit, 'seconds', rate_window_ms / 1000) as rate, enabled, rev,
  created_at as "createdAt", updated_at as "updatedAt"`

export async function listSourceRows(tx: ReadTx, tenant: TenantId): Promise<readonly Source[]> {
  return tx.query(sql`select ${columns} from webhook_sources where tenant_id = ${tenant} order by name`)
}

/** By id or by name. */
export async function findSource(tx: ReadTx, tenant: TenantId, which: string): Promise<Source | null> {
  const rows = await tx.query<Source>(sql`
    select ${columns} from webhook_sources where tenant_id = ${tenant} and (id = ${which} or name = ${which})
    order by id = ${which} desc limit 1`)
  return rows[0] ?? null
}

/** The source at an address, of whichever tenant, and whether that tenant has stopped its webhooks. */
export async function findSourceAt(tx: ReadTx, id: string): Promise<{ source: Source; stopped: boolean } | null> {
  const rows = await tx.query<Source & { stopped: boolean }>(sql`
    select ${columns}, exists (
      select from webhook_settings g where g.tenant_id = webhook_sources.tenant_id and g.stopped_at is not null) as stopped
    from webhook_sources where id = ${id}`)
  if (rows[0] === undefined) return null
  const { stopped, ...source } = rows[0]
  return { source, stopped }
}

/** False where another source has the name. */
export async function insertSource(tx: Tx, source: Source): Promise<boolean> {
  const added = await tx.execute(sql`
    insert into webhook_sources (tenant_id, id, name, preset, secrets, key_id, secret_version, previous_until, options,
      rules, rate_limit, rate_window_ms, enabled, rev, created_at, updated_at)
    values (${source.tenant}, ${source.id}, ${source.name}, ${source.preset},
      ${source.secrets}::text[], ${source.keyId}, ${source.secretVersion}, ${source.previousUntil},
      ${json(source.options)}::jsonb, ${json(source.rules)}::jsonb, ${source.rate.limit}, ${source.rate.seconds * 1_000},
      ${source.enabled}, ${source.rev}, ${source.createdAt}, ${source.updatedAt})
    on conflict do nothing`)
  return added === 1
}

/** Replaces the row that has the revision before `source.rev`; false where it has another by now. */
export async function updateSource(tx: Tx, source: Source): Promise<boolean> {
  const changed = await tx.execute(sql`
    update webhook_sources set name = ${source.name}, preset = ${source.preset}, secrets = ${source.secrets}::text[],
      key_id = ${source.keyId}, secret_version = ${source.secretVersion}, previous_until = ${source.previousUntil},
      options = ${json(source.options)}::jsonb, rules = ${json(source.rules)}::jsonb, rate_limit = ${source.rate.limit},
      rate_window_ms = ${source.rate.seconds * 1_000}, enabled = ${source.enabled}, rev = ${source.rev},
      updated_at = ${source.updatedAt}
    where tenant_id = ${source.tenant} and id = ${source.id} and rev = ${source.rev - 1}`)
  return changed === 1
}

/** False where it is no longer as it was read. */
export async function deleteSource(tx: Tx, { tenant, id, rev }: Source): Promise<boolean> {
  const removed = await tx.execute(sql`
    delete from webhook_sources where tenant_id = ${tenant} and id = ${id} and rev = ${rev}`)
  return removed === 1
}
