import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { AttemptReport } from '../../runners/exchange-contract.ts'
import type { CounterDeltas } from './apply-counters.ts'
import { type DeltaRow, toDeltas } from './delta-rows.ts'
import { inIdOrder } from './in-id-order.ts'

export interface CompleteResult {
  /** Fences that were accepted; a report whose fence is missing was stale and changed nothing. */
  readonly accepted: ReadonlySet<number>
  /** Concurrency keys that were freed, with their tenant. */
  readonly freed: readonly { readonly tenant: TenantId; readonly keys: readonly string[] }[]
  readonly deltas: CounterDeltas
}

/**
 * Applies reports of success: one update a task, guarded by its fence, with its attempt and its event. What it means for
 * rows shared with others is returned, to be written last.
 *
 * `t.state || ''` keeps the planner from the index of a runner's leases: the update must come by the primary key.
 */
export async function completeTasks(tx: Tx, given: readonly AttemptReport[], now: Date): Promise<CompleteResult> {
  const reports = inIdOrder(given)
  const rows = await tx.query<Row>({
    name: 'complete-tasks',
    text: `
      with input as materialized (
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::jsonb[], $5::timestamptz[], $6::timestamptz[],
          $7::jsonb[], $8::text[]) as i(tenant_id, id, fence, output, started_at, ended_at, usage, workspace_commit)),
      done as (
        update tasks t set state = 'succeeded', reason = null, rev = t.rev + 1, output = i.output, error = null,
          started_at = i.started_at, ended_at = $9, lease_until = null, workspace_commit = i.workspace_commit
        from input i
        where t.tenant_id = i.tenant_id and t.id = i.id and t.fence = i.fence and t.state || '' in ('leased', 'running')
          and t.cancel_reason is null
        returning t.tenant_id, t.id, t.run_id, t.step, t.item, t.rev, t.attempt, t.fence, t.agent_id, t.runner_id,
          t.leased_at, t.budget_ids, t.holds, t.concurrency, i.started_at, i.ended_at, i.usage),
      tried as (
        insert into attempts (tenant_id, task_id, attempt, fence, run_id, agent_id, runner_id, outcome, leased_at, started_at, ended_at, usage)
        select tenant_id, id, attempt, fence, run_id, agent_id, runner_id, 'succeeded', leased_at, started_at, ended_at, usage
        from done),
      logged as (
        insert into events (tenant_id, type, subject_kind, subject_id, subject_rev, run_id, at, data)
        select tenant_id, 'task.succeeded', 'task', id, rev, run_id, $9,
          jsonb_build_object('step', step, 'item', item, 'attempt', attempt, 'agent', agent_id)
        from done)
      select (select array_agg(fence) from done) as fences,
        (select json_agg(json_build_array(tenant_id, concurrency)) from done where concurrency is not null) as freed,
        (select json_agg(json_build_array(tenant_id, agent_id, n)) from
          (select tenant_id, agent_id, -count(*) as n from done group by 1, 2) a) as agents,
        (select json_agg(json_build_array(d.tenant_id, d.run_id, d.step, d.n, 0, s.open)) from
          (select tenant_id, run_id, step, -count(*) as n from done group by 1, 2, 3) d
          left join run_steps s on s.tenant_id = d.tenant_id and s.run_id = d.run_id and s.step = d.step) as steps,
        (select json_agg(json_build_array(u.tenant_id, u.budget, -u.held,
            case b.unit when 'runs' then u.runs when 'wall-ms' then u.wall when 'cpu-ms' then u.cpu else u.held end))
          from (
            select d.tenant_id, h.budget, sum(h.amount) as held, count(*) as runs,
              sum(least(h.amount, ceil((d.usage->>'wallSeconds')::float8 * 1000))) as wall,
              sum(least(h.amount, ceil(coalesce((d.usage->>'cpuSeconds')::float8 * 1000, h.amount)))) as cpu
            from done d cross join lateral unnest(d.budget_ids, d.holds) as h(budget, amount)
            where d.budget_ids is not null group by 1, 2) u
          join budgets b on b.tenant_id = u.tenant_id and b.id = u.budget) as budgets`,
    values: [
      reports.map((r) => r.tenant),
      reports.map((r) => r.taskId),
      reports.map((r) => r.fence),
      reports.map((r) => JSON.stringify(r.output)),
      reports.map((r) => r.startedAt),
      reports.map((r) => r.endedAt),
      reports.map((r) => JSON.stringify(r.usage)),
      reports.map((r) => r.workspaceCommit),
      now,
    ],
  })
  const row = rows[0]!
  return {
    accepted: new Set(row.fences ?? []),
    freed: (row.freed ?? []).map(([tenant, keys]) => ({ tenant, keys })),
    deltas: toDeltas(row),
  }
}

interface Row extends DeltaRow {
  fences: number[] | null
  freed: [TenantId, string[]][] | null
}
