import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface DueProof {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: string
  readonly wanted: number
  readonly sha256: string | null
}

/** Asks for bundles of tasks, once more where they are known. */
export async function wantProofs(
  tx: Tx,
  tasks: readonly { readonly tenant: TenantId; readonly taskId: string; readonly runId: string }[],
  now: Date,
): Promise<void> {
  if (tasks.length === 0) return
  await tx.execute(sql`
    insert into proofs (tenant_id, task_id, run_id, created_at)
    select distinct on (tenant_id, task_id) i.*, ${now}::timestamptz
    from unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[], ${tasks.map((t) => t.runId)}::text[])
      as i(tenant_id, task_id, run_id)
    order by tenant_id, task_id
    on conflict (tenant_id, task_id) do update set wanted = proofs.wanted + 1`)
}

/** What is on record of runs has gone on: their bundles are made again. */
export async function wantProofsOfRuns(
  tx: Tx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<void> {
  if (runs.length === 0) return
  await tx.execute(sql`
    update proofs p set wanted = p.wanted + 1, retry_at = null
    from (select distinct tenant_id, run_id from unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.runId)}::text[])
      as u(tenant_id, run_id)) r
    where p.tenant_id = r.tenant_id and p.run_id = r.run_id`)
}

export async function findDueProofs(tx: ReadTx, now: Date, limit: number): Promise<readonly DueProof[]> {
  return tx.query<DueProof>(sql`
    select tenant_id as tenant, task_id as "taskId", run_id as "runId", wanted, sha256 from proofs
    where made < wanted and (retry_at is null or retry_at <= ${now}) order by created_at limit ${limit}`)
}

export async function proofMade(
  tx: Tx,
  { tenant, taskId, wanted }: DueProof,
  sha256: string,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update proofs set made = greatest(made, ${wanted}), sha256 = ${sha256}, made_at = ${now}, retry_at = null
    where tenant_id = ${tenant} and task_id = ${taskId}`)
}

export async function proofFailed(tx: Tx, { tenant, taskId }: DueProof, retryAt: Date): Promise<void> {
  await tx.execute(sql`
    update proofs set retry_at = ${retryAt} where tenant_id = ${tenant} and task_id = ${taskId}`)
}

export async function deleteProof(tx: Tx, { tenant, taskId }: DueProof): Promise<void> {
  await tx.execute(sql`delete from proofs where tenant_id = ${tenant} and task_id = ${taskId}`)
}
