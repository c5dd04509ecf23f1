import type { AgentId, RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface RunnerLease {
  readonly runnerId: string
  readonly taskId: TaskId
  readonly fence: number
  readonly runId: RunId
  readonly step: string
  readonly item: number | null
  readonly attempt: number
}

/** A lease with what its work needs. */
export interface HeldLease extends RunnerLease {
  readonly agentId: AgentId
  readonly pool: string
  readonly repoPath: string | null
  readonly repoCommit: string | null
}

/** The present leases of a tenant among these, and who holds them. */
export async function findLeases(
  tx: ReadTx,
  tenant: TenantId,
  leases: readonly { readonly taskId: string; readonly fence: number }[],
): Promise<readonly RunnerLease[]> {
  return tx.query<RunnerLease>(sql`
    select t.runner_id as "runnerId", t.id as "taskId", t.fence, t.run_id as "runId", t.step, t.item, t.attempt
    from unnest(${leases.map((lease) => lease.taskId)}::text[], ${leases.map((lease) => lease.fence)}::bigint[]) as i(id, fence)
    join tasks t on t.tenant_id = ${tenant} and t.id = i.id and t.fence = i.fence
    where t.state in ('leased', 'running')`)
}

/** What a runner holds under this fence, and the repository it works on. Null: it does not. */
export async function leaseOfRunner(
  tx: ReadTx,
  tenant: TenantId,
  runnerId: string,
  fence: number,
): Promise<HeldLease | null> {
  const rows = await tx.query<HeldLease>(sql`
    select t.runner_id as "runnerId", t.id as "taskId", t.fence, t.run_id as "runId", t.step, t.item, t.attempt,
      t.agent_id as "agentId", t.pool, r.repo_path as "repoPath", r.repo_commit as "repoCommit"
    from tasks t join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id
    where t.runner_id = ${runnerId} and t.state in ('leased', 'running') and t.tenant_id = ${tenant} and t.fence = ${fence}`)
  return rows[0] ?? null
}
