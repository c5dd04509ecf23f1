import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { AttemptReport } from '../../runners/exchange-contract.ts'
import type { CounterDeltas } from './apply-counters.ts'
import { byKey } from './by-key.ts'
import { type DeltaRow, toDeltas } from './delta-rows.ts'
import { momentOfHold } from './moment-of-hold.ts'
import { attemptData, insertTaskEvents } from './task-events.ts'

export interface CompleteResult {
  /** Fences that were accepted; a report whose fence is missing was stale and changed nothing. */
  readonly accepted: ReadonlySet<number>
  /** Concurrency keys that were freed, with their tenant. */
  readonly freed: readonly { readonly tenant: TenantId; readonly keys: readonly string[] }[]
  readonly deltas: CounterDeltas
}

/**
 * Applies reports of success: one update a task, guarded by its fence, and one event. The task keeps what is known of
 * the attempt that ended it. What it means for rows shared with others is returned, to be written last. At most
 * `mostTasks` reports, in the order of their tasks' ids.
 *
 * `t.state || ''` keeps the planner from the index of a runner's leases: the update must come by the primary key.
 */
export async function completeTasks(tx: Tx, reports: readonly AttemptReport[], now: Date): Promise<CompleteResult> {
  const rows = await tx.query<Row>({
    name: 'complete-tasks',
    text: `
      with input as materialized (
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::jsonb[], $5::float8[], $6::text[],
          $7::float8[], $8::float8[], $10::bigint[], $11::jsonb[])
          as i(tenant_id, id, fence, output, began_ms_ago, workspace_commit, wall_ms, cpu_ms, max_rss, usage)
        where ${byKey}),
      done as (
        update tasks t set state = 'succeeded', reason = null, rev = t.rev + 1, output = i.output, error = null,
          started_at = $9::timestamptz - i.began_ms_ago * interval '1 millisecond', ended_at = $9, lease_until = null,
          workspace_commit = i.workspace_commit, wall_ms = i.wall_ms, cpu_ms = i.cpu_ms, max_rss = i.max_rss, usage = i.usage
        from input i
        where t.tenant_id = i.tenant_id and t.id = i.id and t.fence = i.fence and t.state || '' in ('leased', 'running')
          and t.cancel_reason is null
        returning t.tenant_id, t.id, t.run_id, t.step, t.item, t.rev, t.attempt, t.fence, t.agent_id,
          t.budget_ids, t.holds, t.leased_at, t.concurrency, i.wall_ms, i.cpu_ms),
      logged as (${insertTaskEvents({ type: "'task.succeeded'", at: '$9', data: attemptData, from: 'done' })}),
      sums as materialized (
        select tenant_id, run_id, step, budget_ids, holds, case when budget_ids is not null then leased_at end as leased_at,
          count(*) as n, array_agg(wall_ms) as walls, array_agg(cpu_ms) as cpus
        from done group by 1, 2, 3, 4, 5, 6)
      select (select array_agg(fence) from done) as fences,
        (select json_agg(json_build_array(tenant_id, concurrency)) from done where concurrency is not null) as freed,
        (select json_agg(json_build_array(tenant_id, agent_id, n)) from
          (select tenant_id, agent_id, -count(*) as n from done group by 1, 2) a) as agents,
        (select json_agg(json_build_array(d.tenant_id, d.run_id, d.step, d.n, 0, 0, s.open)) from
          (select tenant_id, run_id, step, -sum(n) as n from sums group by 1, 2, 3) d
          left join run_steps s on s.tenant_id = d.tenant_id and s.run_id = d.run_id and s.step = d.step) as steps,
        (select json_agg(json_build_array(tenant_id, budget, -held, spent, at)) from (
          select d.tenant_id, h.budget, ${momentOfHold} as at, sum(d.n * h.amount) as held, sum(case b.unit
              when 'agents' then 0
              when 'runs' then d.n
              when 'wall-ms' then (select sum(least(h.amount, ceil(ms))) from unnest(d.walls) as ms)
              when 'cpu-ms' then (select sum(least(h.amount, ceil(coalesce(ms, h.amount)))) from unnest(d.cpus) as ms)
              else d.n * h.amount end) as spent
          from sums d cross join lateral unnest(d.budget_ids, d.holds) as h(budget, amount)
          cross join lateral (select unit, time_window, window_start from budgets where tenant_id = d.tenant_id and id = h.budget limit 1) b
          group by 1, 2, 3) settled) as budgets`,
    values: [
      reports.map((r) => r.tenant),
      reports.map((r) => r.taskId),
      reports.map((r) => r.fence),
      reports.map((r) => JSON.stringify(r.output)),
      reports.map((r) => now.getTime() - Date.parse(r.startedAt)),
      unlessAllNull(reports.map((r) => r.workspaceCommit)),
      reports.map((r) => r.usage.wallSeconds * 1_000),
      unlessAllNull(reports.map((r) => (r.usage.cpuSeconds === null ? null : r.usage.cpuSeconds * 1_000))),
      now,
      unlessAllNull(reports.map((r) => r.usage.maxRssBytes)),
      unlessAllNull(reports.map(furtherUsage)),
    ],
  })
  const row = rows[0]!
  return {
    accepted: new Set(row.fences ?? []),
    freed: (row.freed ?? []).map(([tenant, keys]) => ({ tenant, keys })),
    deltas: toDeltas(row),
  }
}

/** A list of nulls need not travel: `unnest` fills up the shorter lists with them. */
function unlessAllNull<T>(values: readonly (T | null)[]): readonly (T | null)[] | null {
  return values.every((value) => value === null) ? null : values
}

/** What an attempt used beside what has a column of its own. */
function furtherUsage({ usage }: AttemptReport): string | null {
  const { cpuSeconds: _, maxRssBytes: __, wallSeconds: ___, ...others } = usage
  return Object.keys(others).length === 0 ? null : JSON.stringify(others)
}

interface Row extends DeltaRow {
  fences: number[] | null
  freed: [TenantId, string[]][] | null
}
