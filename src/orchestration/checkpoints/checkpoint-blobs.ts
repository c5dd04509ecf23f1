import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** Which of these blobs checkpoints refer to: a run can be restored from them when its own rows are gone. */
export async function blobsOfCheckpoints(
  tx: ReadTx,
  tenant: TenantId,
  blobs: readonly string[],
): Promise<readonly string[]> {
  const rows = await tx.query<{ blob: string }>(sql`
    select distinct artifact->>'blob' as blob
    from checkpoints c cross join lateral jsonb_array_elements(c.document->'artifacts') as artifact
    where c.tenant_id = ${tenant} and artifact->>'blob' = any (${blobs}::text[])`)
  return rows.map((row) => row.blob)
}
