import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { RunState } from './states-contract.ts'
import { withdrawnCode } from './withdraw-leases.ts'

export interface TaskAtWork {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: RunId
  readonly step: string
  readonly agentId: string
  readonly attempt: number
  readonly leasedAt: Date
  /** The last sign of substance; at first, when the lease was given. */
  readonly progressAt: Date
}

/** Tasks that have shown no progress since `since`, those silent for longest first. */
export async function silentTasks(tx: ReadTx, since: Date, limit: number): Promise<readonly TaskAtWork[]> {
  return tx.query(sql`
    select t.tenant_id as tenant, t.id as "taskId", t.run_id as "runId", t.step, t.agent_id as "agentId", t.attempt,
      t.leased_at as "leasedAt", coalesce(t.progress_at, t.leased_at) as "progressAt"
    from tasks t
    where t.state in ('leased', 'running') and coalesce(t.progress_at, t.leased_at) < ${since} and t.cancel_reason is null
    order by coalesce(t.progress_at, t.leased_at) limit ${limit}`)
}

export interface TaskAttempts {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: RunId
  readonly step: string
  /** What each ended attempt came to, oldest first: equal texts are equal ends. */
  readonly ends: readonly { readonly at: Date; readonly what: string }[]
}

/** Open tasks that have failed at least `least` times, with the ends of their newest hundred attempts. */
export async function failingTasks(tx: ReadTx, least: number, limit: number): Promise<readonly TaskAttempts[]> {
  const rows = await tx.query<Omit<TaskAttempts, 'ends'> & { readonly ends: readonly [string, string][] }>(sql`
    with recursive busy as (
      (select tenant_id from tasks where state = 'waiting' order by tenant_id limit 1)
      union all
      select (select t.tenant_id from tasks t where t.state = 'waiting' and t.tenant_id > busy.tenant_id
        order by t.tenant_id limit 1)
      from busy where busy.tenant_id is not null),
    open as (
      select w.* from busy cross join lateral (
        select t.tenant_id, t.id, t.run_id, t.step from tasks t
        where t.tenant_id = busy.tenant_id and t.state = 'waiting' and t.reason = 'back-off' and t.attempt >= ${least}
        limit ${limit}) w
      where busy.tenant_id is not null
      union all
      (select tenant_id, id, run_id, step from tasks where state in ('leased', 'running') and attempt > ${least} limit ${limit}))
    select o.tenant_id as tenant, o.id as "taskId", o.run_id as "runId", o.step, e.ends
    from open o cross join lateral (
      select json_agg(json_build_array(ended_at, outcome || ' ' || coalesce(error->>'code', '') || ' ' || coalesce(error->>'message', ''))
        order by fence) as ends
      from (select fence, ended_at, outcome, error from past_attempts p
        where p.tenant_id = o.tenant_id and p.task_id = o.id and p.error->>'code' is distinct from ${withdrawnCode}
        order by fence desc limit 100) newest) e
    where e.ends is not null`)
  return rows.map((row) => ({ ...row, ends: row.ends.map(([at, what]) => ({ at: new Date(at), what })) }))
}

export interface RecentRun {
  readonly tenant: TenantId
  readonly id: RunId
  readonly workflow: string
  /** Equal for runs of one workflow with the same inputs and repository. */
  readonly line: string
  /** The schedule that started it, if one did. */
  readonly schedule: string | null
  readonly state: string
  readonly createdAt: Date
  readonly endedAt: Date | null
  /** What it came to: equal texts are equal ends; a success without outputs is like no other. Null while it is open. */
  readonly end: string | null
}

/** Runs of each tenant that were started since `since`, oldest first, the newest `perTenant`. Runs that others wait for are left out. */
export async function recentRuns(tx: ReadTx, since: Date, perTenant: number): Promise<readonly RecentRun[]> {
  return tx.query(sql`
    with recursive busy as (
      (select tenant_id from runs order by tenant_id limit 1)
      union all
      select (select r.tenant_id from runs r where r.tenant_id > busy.tenant_id order by r.tenant_id limit 1)
      from busy where busy.tenant_id is not null)
    select busy.tenant_id as tenant, r.id, r.workflow, r.line, r.schedule, r.state, r.created_at as "createdAt",
      r.ended_at as "endedAt", r.end
    from busy cross join lateral (
      select id, workflow, md5(workflow || inputs::text || coalesce(repo_path, '')) as line, labels->>'schedule' as schedule,
        state, created_at, ended_at,
        case when ended_at is null then null
          when state = 'succeeded' and coalesce(outputs, '{}') = '{}' then 'succeeded ' || id
          when state = 'succeeded' then 'succeeded with the outputs ' || left(outputs::text, 1000)
          else state || ' ' || coalesce(error->>'code', '') || ' ' || left(coalesce(error->>'message', ''), 1000) end as "end"
      from runs x
      where x.tenant_id = busy.tenant_id and x.created_at > ${since} and x.parent_task is null
      order by created_at desc limit ${perTenant}) r
    where busy.tenant_id is not null order by r.created_at, r.id`)
}

export interface StateOfRun {
  readonly id: RunId
  readonly state: RunState
}

/** Those of the runs that there are. */
export async function statesOfRuns(
  tx: ReadTx,
  runs: readonly { readonly tenant: TenantId; readonly runId: RunId }[],
): Promise<readonly StateOfRun[]> {
  return tx.query(sql`
    select r.id, r.state
    from unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.runId)}::text[]) as i(tenant_id, id)
    join runs r on r.tenant_id = i.tenant_id and r.id = i.id`)
}

export interface RunAtWork {
  readonly tenant: TenantId
  readonly runId: RunId
  readonly startedAt: Date
  /** Tasks that agents work on. */
  readonly atWork: number
  /** Tasks that wait until fewer are at work; counted as far as 10,000 of a tenant. */
  readonly heldBack: number
}

/** Open runs that agents work on, or that one of these budgets keeps from it, with how many tasks at a time. */
export async function runsAtWork(
  tx: ReadTx,
  budgets: readonly { readonly tenant: TenantId; readonly budget: string }[],
): Promise<readonly RunAtWork[]> {
  return tx.query(sql`
    select w.tenant_id as tenant, w.run_id as "runId", r.created_at as "startedAt", w.work as "atWork", w.held as "heldBack"
    from (
      select tenant_id, run_id, count(*) filter (where state <> 'waiting')::int as work,
        count(*) filter (where state = 'waiting')::int as held
      from (
        select tenant_id, run_id, state from tasks where state in ('leased', 'running')
        union all
        select t.tenant_id, t.run_id, t.state
        from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.budget)}::text[]) as i(tenant_id, budget)
        cross join lateral (
          select t.tenant_id, t.run_id, t.state from tasks t
          where t.tenant_id = i.tenant_id and t.state = 'waiting' and t.reason = 'budget:' || i.budget limit 10000) t) some_tasks
      group by tenant_id, run_id) w
    join runs r on r.tenant_id = w.tenant_id and r.id = w.run_id
    where r.state <> 'paused'`)
}
