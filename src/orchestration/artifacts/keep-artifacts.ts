import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { ArtifactRow } from './artifacts-store.ts'

export interface KeptArtifact extends ArtifactRow {
  readonly tenant: TenantId
}

/** Puts artifacts in the place of those of the same names that their task had. Their blobs go with the next sweep. */
export async function keepArtifacts(tx: Tx, artifacts: readonly KeptArtifact[], now: Date): Promise<void> {
  for (const one of artifacts) {
    await tx.execute(sql`
      delete from artifacts
      where tenant_id = ${one.tenant} and run_id = ${one.runId} and task_id = ${one.taskId} and name = ${one.name} and id <> ${one.id}`)
    await tx.execute(sql`
      insert into artifacts (tenant_id, id, run_id, task_id, step, name, media_type, bytes, sha256, blob, created_at)
      values (${one.tenant}, ${one.id}, ${one.runId}, ${one.taskId}, ${one.step}, ${one.name}, ${one.mediaType}, ${one.bytes},
        ${one.sha256}, ${one.blob}, ${now})
      on conflict do nothing`)
  }
}

/** Which of these tasks have kept what they changed (see the index artifacts_diffs). */
export async function tasksWithDiff(
  tx: ReadTx,
  tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
): Promise<readonly { readonly tenant: TenantId; readonly taskId: string; readonly runId: string }[]> {
  return tx.query(sql`
    select distinct a.tenant_id as tenant, a.task_id as "taskId", a.run_id as "runId"
    from unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[]) as w(tenant_id, task_id)
    join artifacts a on a.tenant_id = w.tenant_id and a.task_id = w.task_id and a.name = 'proof/diff.patch'`)
}
