import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { prepared, type Query, sql } from '../../../foundation/platform/database/sql.ts'

export interface SharedSpec {
  readonly tenant: TenantId
  /** See `sharedKeyOf`. */
  readonly key: string
  readonly spec: JsonObject
}

/** Keeps what the tasks of steps share. The first to come stays. */
export async function insertSharedSpecs(tx: Tx, specs: readonly SharedSpec[]): Promise<void> {
  if (specs.length === 0) return
  tx.post(prepared('insert-specs')`
    insert into task_specs (tenant_id, id, spec)
    select * from unnest(${specs.map((s) => s.tenant)}::text[], ${specs.map((s) => s.key)}::text[],
      ${specs.map((s) => JSON.stringify(s.spec))}::jsonb[])
    on conflict do nothing`)
}

export async function readSharedSpecs(
  tx: ReadTx,
  keys: readonly { readonly tenant: TenantId; readonly key: string }[],
): Promise<readonly SharedSpec[]> {
  return tx.query<SharedSpec>(prepared('read-specs')`
    select s.tenant_id as tenant, s.id as key, s.spec
    from unnest(${keys.map((k) => k.tenant)}::text[], ${keys.map((k) => k.key)}::text[]) as w(tenant_id, id)
    join task_specs s on s.tenant_id = w.tenant_id and s.id = w.id`)
}

/** In a statement over `tasks t`: the join that brings `task_specs s`, and the whole specification. */
export const joinSharedSpecs: Query = sql`left join task_specs s on s.tenant_id = t.tenant_id
  and s.id = split_part(t.id, '.', 1) || '.' || split_part(t.id, '.', 2)`
export const wholeSpec: Query = sql`case when t.spec ? 'kind' then t.spec else s.spec || coalesce(t.spec, '{}') end`
