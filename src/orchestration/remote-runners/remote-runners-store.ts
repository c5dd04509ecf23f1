import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export async function insertRemoteRunner(
  tx: Tx,
  runner: { readonly tenant: TenantId; readonly id: string; readonly by: string; readonly at: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into remote_runners (tenant_id, id, created_by, created_at)
    values (${runner.tenant}, ${runner.id}, ${runner.by}, ${runner.at})`)
}

/** Those of `ids` that joined by URL for this tenant. */
export async function findRemoteRunners(
  tx: ReadTx,
  tenant: TenantId,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: string }>(sql`
    select id from remote_runners where tenant_id = ${tenant} and id = any (${ids}::text[])`)
  return new Set(rows.map((row) => row.id))
}

export async function deleteRemoteRunner(tx: Tx, tenant: TenantId, id: string): Promise<void> {
  await tx.execute(sql`delete from remote_runners where tenant_id = ${tenant} and id = ${id}`)
}

/** All runners that joined by URL, of all tenants. */
export async function allRemoteRunners(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.query<{ id: string }>(sql`select id from remote_runners`)
  return rows.map((row) => row.id)
}
