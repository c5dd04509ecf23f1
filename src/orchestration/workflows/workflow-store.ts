import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'

/** Keeps a definition under the next version of its name, or finds the version that has the same content. */
export async function storeDefinition(
  tx: Tx,
  tenant: TenantId,
  definition: WorkflowDefinition,
  hash: string,
  source: string,
  now: Date,
): Promise<number> {
  const { name } = definition
  for (;;) {
    const known = await findVersion(tx, tenant, name, hash)
    if (known !== null) return known
    // Two that store at once may pick the same number: the loser looks again.
    const rows = await tx.query<{ version: number }>(sql`
      insert into workflows (tenant_id, name, version, hash, definition, source, created_at)
      select ${tenant}, ${name}, coalesce(max(version), 0) + 1, ${hash}, ${definition}::jsonb, ${source}, ${now}
      from workflows where tenant_id = ${tenant} and name = ${name}
      on conflict do nothing returning version`)
    if (rows[0] !== undefined) return rows[0].version
  }
}

async function findVersion(tx: ReadTx, tenant: TenantId, name: string, hash: string): Promise<number | null> {
  const rows = await tx.query<{ version: number }>(sql`
    select version from workflows where tenant_id = ${tenant} and name = ${name} and hash = ${hash}`)
  return rows[0]?.version ?? null
}

export async function readDefinition(
  tx: ReadTx,
  tenant: TenantId,
  name: string,
  version: number,
): Promise<WorkflowDefinition | null> {
  const rows = await tx.query<{ definition: WorkflowDefinition }>(sql`
    select definition from workflows where tenant_id = ${tenant} and name = ${name} and version = ${version}`)
  return rows[0]?.definition ?? null
}

export interface StoredVersion {
  readonly name: string
  readonly version: number
  readonly source: string
}

/** The newest version of each stored workflow, or of one. */
export async function newestVersions(
  tx: ReadTx,
  tenant: TenantId,
  name: string | null,
): Promise<readonly StoredVersion[]> {
  return tx.query<StoredVersion>(sql`
    select distinct on (name) name, version, source from workflows
    where tenant_id = ${tenant} and (${name}::text is null or name = ${name}) order by name, version desc`)
}
