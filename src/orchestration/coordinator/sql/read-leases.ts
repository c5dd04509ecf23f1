import type { AgentId, RunId, TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { prepared } from '../../../foundation/platform/database/sql.ts'
import type { OwnSpec } from '../shared-spec.ts'

export interface HeldLease {
  readonly tenant: TenantId
  readonly taskId: TaskId
  readonly runId: RunId
  readonly step: string
  readonly item: number | null
  readonly attempt: number
  readonly fence: number
  readonly agentId: AgentId
  readonly cancelReason: string | null
  /** Null for leases the runner already holds. */
  readonly spec: OwnSpec | null
}

/** All present leases of a runner; what it says it holds comes without the spec. */
export async function readLeases(tx: ReadTx, runnerId: string, holding: readonly number[]): Promise<HeldLease[]> {
  const rows = await tx.query<Row>({
    name: 'read-leases',
    text: `
      select tenant_id, id, run_id, step, item, attempt, fence, agent_id, cancel_reason,
        case when fence = any ($2::bigint[]) then null else coalesce(spec, '{}') end as spec
      from tasks where runner_id = $1 and state in ('leased', 'running')`,
    values: [runnerId, holding],
  })
  return rows.map((row) => ({
    tenant: row.tenant_id,
    taskId: row.id,
    runId: row.run_id,
    step: row.step,
    item: row.item,
    attempt: row.attempt,
    fence: row.fence,
    agentId: row.agent_id,
    cancelReason: row.cancel_reason,
    spec: row.spec,
  }))
}

interface Row {
  tenant_id: TenantId
  id: TaskId
  run_id: RunId
  step: string
  item: number | null
  attempt: number
  fence: number
  agent_id: AgentId
  cancel_reason: string | null
  spec: OwnSpec | null
}

export interface RepoOfRun {
  readonly path: string
  readonly commit: string | null
}

/** Where the runs work, by `tenant/run`. Runs without a repository are left out. */
export async function readRepos(
  tx: ReadTx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<ReadonlyMap<string, RepoOfRun | null>> {
  const rows = await tx.query<{
    tenant_id: string
    id: string
    repo_path: string | null
    repo_commit: string | null
  }>(prepared('read-repos')`
    select r.tenant_id, r.id, r.repo_path, r.repo_commit
    from unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.runId)}::text[]) as w(tenant_id, id)
    join runs r on r.tenant_id = w.tenant_id and r.id = w.id`)
  return new Map(
    rows.map((row) => [
      `${row.tenant_id}/${row.id}`,
      row.repo_path === null ? null : { path: row.repo_path, commit: row.repo_commit },
    ]),
  )
}
