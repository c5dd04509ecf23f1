import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** Kind and pool of agents, by id. Those who have gone for good are left out. */
export async function kindsOfAgents(
  tx: ReadTx,
  tenant: TenantId,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly kind: string; readonly pool: string }>> {
  const rows = await tx.query<{ id: string; kind: string; pool: string }>(sql`
    select id, kind, pool from agents where tenant_id = ${tenant} and id = any (${[...new Set(ids)]}::text[])`)
  return new Map(rows.map(({ id, kind, pool }) => [id, { kind, pool }]))
}
