import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { AttemptReport } from '../../runners/exchange-contract.ts'

/** Names the files of attempts, for the reports whose fence is that of the task. A report that comes twice adds nothing. */
export async function insertArtifacts(tx: Tx, reports: readonly AttemptReport[], now: Date): Promise<void> {
  const rows = reports.flatMap((report) =>
    report.artifacts.map((artifact, position) => ({ report, artifact, position })),
  )
  await tx.execute(sql`
    insert into artifacts (tenant_id, id, run_id, task_id, step, name, media_type, bytes, sha256, blob, created_at)
    select t.tenant_id, 'art_' || t.fence || '_' || i.position, t.run_id, t.id, t.step, i.name, i.media_type, i.bytes,
      i.sha256, i.blob, ${now}
    from unnest(${rows.map((r) => r.report.tenant)}::text[], ${rows.map((r) => r.report.taskId)}::text[],
      ${rows.map((r) => r.report.fence)}::bigint[], ${rows.map((r) => r.artifact.name)}::text[],
      ${rows.map((r) => r.artifact.mediaType)}::text[], ${rows.map((r) => r.artifact.bytes)}::bigint[],
      ${rows.map((r) => r.artifact.sha256)}::text[], ${rows.map((r) => r.artifact.blob)}::text[],
      ${rows.map((r) => r.position)}::int[])
      as i(tenant_id, id, fence, name, media_type, bytes, sha256, blob, position)
    join tasks t on t.tenant_id = i.tenant_id and t.id = i.id and t.fence = i.fence
    on conflict do nothing`)
}
