import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'

export interface ArtifactRow {
  readonly id: string
  readonly runId: string
  readonly taskId: string
  readonly step: string
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  readonly sha256: string
  /** Key of its content in the blob store. */
  readonly blob: string
}

const columns: Query = sql`id, run_id as "runId", task_id as "taskId", step, name, media_type as "mediaType", bytes, sha256, blob`

/** The artifacts of a run, by step and name; at most 1,000. */
export async function artifactsOfRun(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly ArtifactRow[]> {
  return tx.query<ArtifactRow>(sql`
    select ${columns} from artifacts
    where tenant_id = ${tenant} and run_id = ${runId} order by step, name, id limit 1000`)
}

/** Those of several runs, in the order of the runs, then by step and name. */
export async function artifactsOfRuns(
  tx: ReadTx,
  tenant: TenantId,
  runs: readonly string[],
  limit: number,
): Promise<readonly ArtifactRow[]> {
  return tx.query<ArtifactRow>(sql`
    select ${columns} from artifacts
    where tenant_id = ${tenant} and run_id = any (${runs}::text[])
    order by array_position(${runs}::text[], run_id), step, name, id limit ${limit}`)
}

export async function findArtifact(tx: ReadTx, tenant: TenantId, id: string): Promise<ArtifactRow | null> {
  const rows = await tx.query<ArtifactRow>(sql`
    select ${columns} from artifacts where tenant_id = ${tenant} and id = ${id}`)
  return rows[0] ?? null
}

/** Which of these blobs artifacts refer to. */
export async function blobsOfArtifacts(
  tx: ReadTx,
  tenant: TenantId,
  blobs: readonly string[],
): Promise<readonly string[]> {
  const rows = await tx.query<{ blob: string }>(sql`
    select blob from artifacts where tenant_id = ${tenant} and blob = any (${blobs}::text[])`)
  return rows.map((row) => row.blob)
}
