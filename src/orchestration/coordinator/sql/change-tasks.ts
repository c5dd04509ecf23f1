import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../../foundation/kernel/json.ts'
import { statesAccepting } from '../../../foundation/kernel/state-table.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { type TaskEvent, type TaskState, taskStates } from '../../runs/states-contract.ts'
import type { CounterDeltas } from './apply-counters.ts'
import { chunksOf } from './chunks-of.ts'
import { type DeltaRow, toDeltas } from './delta-rows.ts'
import { inIdOrder } from './in-id-order.ts'
import { momentOfHold } from './moment-of-hold.ts'
import { insertTaskEvents } from './task-events.ts'

export interface TaskChange {
  readonly tenant: TenantId
  readonly taskId: string
  /** Refused unless it is the task's present lease; null for changes that do not come from a lease holder. */
  readonly fence: number | null
  readonly event: TaskEvent
  readonly to: TaskState
  readonly reason?: string | null
  readonly output?: JsonValue
  readonly error?: JsonValue
  /** How the attempt under way ended, where there is one. */
  readonly outcome?: 'succeeded' | 'failed' | 'timed-out' | 'cancelled' | 'lost'
  readonly startedAt?: string | null
  readonly endedAt?: string | null
  readonly usage?: JsonValue
}

export interface ChangedTask {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: string
  readonly step: string
  readonly pool: string
  readonly from: TaskState
  readonly to: TaskState
}

export interface ChangeResult {
  readonly changed: readonly ChangedTask[]
  readonly freed: readonly { readonly tenant: TenantId; readonly keys: readonly string[] }[]
  /** What it means for rows shared with others, to be written last. */
  readonly deltas: CounterDeltas
}

const eventTypes: Readonly<Record<TaskState, string>> = {
  pending: 'task.pending',
  ready: 'task.ready',
  waiting: 'task.waiting',
  leased: 'task.leased',
  running: 'task.running',
  succeeded: 'task.succeeded',
  failed: 'task.failed',
  cancelled: 'task.cancelled',
  'timed-out': 'task.timed-out',
  skipped: 'task.skipped',
}

/**
 * Any change of tasks other than a lease or a plain success. Rows are locked in id order; a pair of state and event that the
 * table does not allow, or a stale fence, changes nothing. Where an attempt was under way it is recorded, its slot and
 * holds are given back; where the task ended, its step's counts follow, and its places, unless it was still waiting for one.
 */
export async function changeTasks(tx: Tx, given: readonly TaskChange[], now: Date): Promise<ChangeResult> {
  const results: ChangeResult[] = []
  for (const chunk of chunksOf(inIdOrder(given))) results.push(await changeChunk(tx, chunk, now))
  return {
    changed: results.flatMap((result) => result.changed),
    freed: results.flatMap((result) => result.freed),
    deltas: {
      agents: results.flatMap((result) => result.deltas.agents),
      steps: results.flatMap((result) => result.deltas.steps),
      budgets: results.flatMap((result) => result.deltas.budgets),
    },
  }
}

async function changeChunk(tx: Tx, changes: readonly TaskChange[], now: Date): Promise<ChangeResult> {
  const [row] = await tx.query<Row>({
    name: 'change-tasks',
    text: `
      with input as materialized (
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
          $8::jsonb[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::jsonb[], $13::text[])
          as i(tenant_id, id, fence, allowed, state, reason, output, error, outcome, started_at, ended_at, usage, event)),
      old as materialized (
        select t.tenant_id, t.id, t.state, t.agent_id, t.runner_id, t.started_at, t.leased_at, t.concurrency, t.reason
        from input i join tasks t on t.tenant_id = i.tenant_id and t.id = i.id
        where t.state = any (string_to_array(i.allowed, ',')) and (i.fence is null or t.fence = i.fence)
        order by t.tenant_id, t.id for update of t),
      changed as (
        update tasks t set state = i.state, rev = t.rev + 1, reason = i.reason,
          output = coalesce(i.output, t.output), error = case when i.state = 'running' then t.error else coalesce(i.error, t.error) end,
          started_at = coalesce(i.started_at, t.started_at), progress_at = $14, wall_ms = null, cpu_ms = null,
          max_rss = null, usage = null,
          ended_at = case when i.state = any ($15::text[]) then $14::timestamptz end,
          lease_until = case when i.state = 'running' then t.lease_until end,
          agent_id = case when i.state in ('ready', 'waiting') then null else t.agent_id end,
          runner_id = case when i.state in ('ready', 'waiting') then null else t.runner_id end,
          losses = t.losses + (i.outcome is not distinct from 'lost')::int
        from input i join old o on o.tenant_id = i.tenant_id and o.id = i.id
        where t.tenant_id = o.tenant_id and t.id = o.id
        returning t.tenant_id, t.id, t.run_id, t.step, t.item, t.pool, t.rev, t.attempt, t.fence, t.budget_ids, t.holds,
          t.state, t.reason, t.started_at, t.error, o.state as was, o.agent_id as had_agent, o.runner_id as had_runner, o.leased_at,
          o.concurrency, o.reason as had_reason, i.outcome, i.ended_at, i.usage, i.error as given_error, i.event),
      closed as (
        select * from changed where was in ('leased', 'running') and state not in ('leased', 'running')),
      tried as (
        insert into past_attempts (tenant_id, task_id, attempt, fence, run_id, agent_id, runner_id, outcome, leased_at, started_at, ended_at, error, usage)
        select tenant_id, id, attempt, fence, run_id, had_agent, had_runner, coalesce(outcome, 'cancelled'), leased_at, started_at,
          coalesce(ended_at, $14), given_error, usage from closed where state <> 'succeeded'),
      logged as (${insertTaskEvents({
        type: 'event',
        at: '$14',
        data: `json_strip_nulls(json_build_object('step', step, 'item', item, 'attempt', attempt, 'reason', reason,
          'agent', had_agent, 'outcome', outcome, 'error', given_error))::text`,
        from: 'changed',
      })}),
      ended as (
        select * from changed where state = any ($15::text[]))
      select (select json_agg(json_build_array(tenant_id, id, run_id, step, pool, was, state)) from changed) as changed,
        (select json_agg(json_build_array(tenant_id, concurrency)) from ended where concurrency is not null
          and not (was = 'waiting' and had_reason ~ '^(concurrency|paused-queue):')) as freed,
        (select json_agg(json_build_array(tenant_id, had_agent, n)) from
          (select tenant_id, had_agent, -count(*) as n from closed group by 1, 2) a) as agents,
        (select json_agg(json_build_array(d.tenant_id, d.run_id, d.step, d.n, d.failed, d.cancelled, s.open)) from
          (select tenant_id, run_id, step, -count(*) as n,
            count(*) filter (where state in ('failed', 'timed-out')) as failed,
            count(*) filter (where state = 'cancelled') as cancelled from ended group by 1, 2, 3) d
          left join run_steps s on s.tenant_id = d.tenant_id and s.run_id = d.run_id and s.step = d.step) as steps,
        (select json_agg(json_build_array(tenant_id, budget, -held, spent, at)) from (
          select d.tenant_id, h.budget, ${momentOfHold} as at, sum(h.amount) as held, sum(case b.unit
              when 'agents' then 0
              when 'runs' then 1
              when 'wall-ms' then least(h.amount, ceil(coalesce((d.usage->>'wallSeconds')::float8 * 1000, h.amount)))
              when 'cpu-ms' then least(h.amount, ceil(coalesce((d.usage->>'cpuSeconds')::float8 * 1000, h.amount)))
              else h.amount end) as spent
          from closed d cross join lateral unnest(d.budget_ids, d.holds) as h(budget, amount)
          cross join lateral (select unit, time_window, window_start from budgets where tenant_id = d.tenant_id and id = h.budget limit 1) b
          where d.budget_ids is not null group by 1, 2, 3) settled) as budgets`,
    values: [
      changes.map((c) => c.tenant),
      changes.map((c) => c.taskId),
      changes.map((c) => c.fence),
      changes.map((c) =>
        statesAccepting(taskStates, c.event)
          .filter((state) => taskStates[state][c.event] === c.to)
          .join(','),
      ),
      changes.map((c) => c.to),
      changes.map((c) => c.reason ?? null),
      changes.map((c) => jsonOrNull(c.output)),
      changes.map((c) => jsonOrNull(c.error)),
      changes.map((c) => c.outcome ?? null),
      changes.map((c) => c.startedAt ?? null),
      changes.map((c) => c.endedAt ?? null),
      changes.map((c) => jsonOrNull(c.usage)),
      changes.map((c) => (c.event === 'lose' ? 'task.lost' : c.event === 'retry' ? 'task.retrying' : eventTypes[c.to])),
      now,
      ['succeeded', 'failed', 'cancelled', 'timed-out', 'skipped'],
    ],
  })
  return {
    changed: (row?.changed ?? []).map(([tenant, taskId, runId, step, pool, from, to]) => ({
      tenant,
      taskId,
      runId,
      step,
      pool,
      from,
      to,
    })),
    freed: (row!.freed ?? []).map(([tenant, keys]) => ({ tenant, keys })),
    deltas: toDeltas(row!),
  }
}

function jsonOrNull(value: JsonValue | undefined): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value)
}

interface Row extends DeltaRow {
  changed: [TenantId, string, string, string, string, TaskState, TaskState][] | null
  freed: [TenantId, string[]][] | null
}
