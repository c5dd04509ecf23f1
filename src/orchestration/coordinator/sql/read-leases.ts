import type { AgentId, RunId, TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
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

export interface FreshContext {
  readonly tenant: TenantId
  readonly runId: RunId
  /** See `sharedKeyOf`. */
  readonly key: string
  readonly spec: JsonObject | null
  readonly repo: RepoOfRun | null
}

/** What the specifications of leases need that their runner does not hold yet: what their steps share, and where their runs work. */
export async function readFreshContext(
  tx: ReadTx,
  runnerId: string,
  holding: readonly number[],
): Promise<readonly FreshContext[]> {
  const rows = await tx.query<{
    tenant: TenantId
    run: RunId
    key: string
    spec: JsonObject | null
    repo_path: string | null
    repo_commit: string | null
  }>({
    name: 'read-fresh-context',
    text: `
      with fresh as materialized (
        select distinct tenant_id, run_id, split_part(id, '.', 1) || '.' || split_part(id, '.', 2) as key from tasks
        where runner_id = $1 and state in ('leased', 'running') and fence <> all ($2::bigint[]))
      select f.tenant_id as tenant, f.run_id as run, f.key, s.spec, r.repo_path, r.repo_commit
      from fresh f join runs r on r.tenant_id = f.tenant_id and r.id = f.run_id
      left join task_specs s on s.tenant_id = f.tenant_id and s.id = f.key`,
    values: [runnerId, holding],
  })
  return rows.map(({ tenant, run, key, spec, repo_path: path, repo_commit: commit }) => {
    return { tenant, runId: run, key, spec, repo: path === null ? null : { path, commit } }
  })
}

/** Where the runs work. */
export async function readRepos(
  tx: ReadTx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<readonly { readonly tenant: TenantId; readonly runId: RunId; readonly repo: RepoOfRun | null }[]> {
  const rows = await tx.query<{
    tenant: TenantId
    run: RunId
    repo_path: string | null
    repo_commit: string | null
  }>(prepared('read-repos')`
    select r.tenant_id as tenant, r.id as run, r.repo_path, r.repo_commit
    from unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.runId)}::text[]) as w(tenant_id, id)
    join runs r on r.tenant_id = w.tenant_id and r.id = w.id`)
  return rows.map(({ tenant, run, repo_path: path, repo_commit: commit }) => {
    return { tenant, runId: run, repo: path === null ? null : { path, commit } }
  })
}
