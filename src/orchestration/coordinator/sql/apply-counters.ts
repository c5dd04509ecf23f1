import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { Query } from '../../../foundation/platform/database/sql.ts'

/** A step of a run none of whose tasks is open any more. */
export interface EndedStep {
  readonly tenant: TenantId
  readonly runId: string
  readonly step: string
}

export interface AgentDelta {
  readonly tenant: TenantId
  readonly agentId: string
  readonly used: number
}

export interface StepDelta extends EndedStep {
  readonly open: number
  readonly failed: number
  readonly cancelled: number
  /** How many of its tasks were open when the change was made; without a lock, so only a guess at the end. */
  readonly seen: number
}

export interface BudgetDelta {
  readonly tenant: TenantId
  readonly budget: string
  readonly held: number
  readonly spent: number
  /** A moment of the window in which it was held, ISO 8601. Null or absent: it has only one, or is held now. */
  readonly at?: string | null
}

/** A change of a budget that does not belong to the window of its row. `over`: the present one has yet to begin. */
export interface DisplacedDelta extends BudgetDelta {
  readonly timeWindow: string
  readonly place: 'former' | 'over'
}

export interface CounterDeltas {
  readonly agents: readonly AgentDelta[]
  readonly steps: readonly StepDelta[]
  readonly budgets: readonly BudgetDelta[]
}

export interface CountersApplied {
  readonly endedSteps: readonly EndedStep[]
  /** False when an agent had fewer free slots than the decision assumed: the transaction must be rolled back. */
  readonly slotsHeld: boolean
  /** The same of a budget and its room. */
  readonly budgetsHeld: boolean
  /** What was not written, because it is of another window than the present one. Its budgets stay locked. */
  readonly displaced: readonly DisplacedDelta[]
}

/**
 * Changes the rows that many transactions share: agents' slots, steps' open tasks, budgets. It is one statement right
 * before the commit, so that they are locked for no longer than that takes; each kind in one order, budgets leaf to root.
 * Who takes more of a budget than they give back is checked against its limit: no settlement spends more than it held.
 * Slots likewise: of two processes that tick a shard at the same time, the second finds its decision refused.
 */
export async function applyCounters(tx: Tx, deltas: CounterDeltas, now: Date): Promise<CountersApplied> {
  const [row] = await tx.query<Row>(toQuery(deltas, now, false))
  return {
    endedSteps: (row?.ended ?? []).map(([tenant, runId, step]) => ({ tenant, runId, step })),
    slotsHeld: row?.slots ?? true,
    budgetsHeld: row?.held ?? true,
    displaced: (row?.displaced ?? []).map(([tenant, budget, held, spent, at, timeWindow, place]) => {
      return { tenant, budget, held, spent, at, timeWindow, place }
    }),
  }
}

/**
 * The same as the last statement of the transaction, the commit behind it. For deltas from which nothing is expected to
 * follow: where a step ends after all, or slots or budgets are not held, or a budget is in another window, the transaction is lost and tried again.
 */
export async function applyCountersLast(tx: Tx, deltas: CounterDeltas, now: Date): Promise<void> {
  await tx.last(toQuery(deltas, now, true))
}

function toQuery({ agents, steps, budgets }: CounterDeltas, now: Date, last: boolean): Query {
  return {
    name: last ? 'apply-counters-last' : 'apply-counters',
    text: `
      with agent_rows as materialized (
        select a.tenant_id, a.id, i.n
        from unnest($1::text[], $2::text[], $3::int[]) as i(tenant_id, id, n)
        join agents a on a.tenant_id = i.tenant_id and a.id = i.id
        order by a.tenant_id, a.id for update of a),
      slots as (
        update agents a set used = a.used + r.n from agent_rows r
        where a.tenant_id = r.tenant_id and a.id = r.id and (r.n <= 0 or a.used + r.n <= a.slots)
        returning 1),
      step_rows as materialized (
        select s.tenant_id, s.run_id, s.step, i.open, i.failed, i.cancelled
        from unnest($4::text[], $5::text[], $6::text[], $7::int[], $8::int[], $9::int[])
          as i(tenant_id, run_id, step, open, failed, cancelled)
        join run_steps s on s.tenant_id = i.tenant_id and s.run_id = i.run_id and s.step = i.step
        order by s.tenant_id, s.run_id, s.step for update of s),
      counted as (
        update run_steps s set open = s.open + r.open, failed = s.failed + r.failed, cancelled = s.cancelled + r.cancelled
        from step_rows r where s.tenant_id = r.tenant_id and s.run_id = r.run_id and s.step = r.step
        returning s.tenant_id, s.run_id, s.step, s.open),
      budget_rows as materialized (
        select b.tenant_id, b.id, i.held, i.spent, i.at, b.time_window, case
            when b.time_window in ('total', 'run') then 'present'
            when i.at is not null then case when i.at >= b.window_start then 'present' else 'former' end
            when i.held + i.spent <= 0 or (b.window_start <= $15 and b.window_end > $15) then 'present'
            else 'over' end as place
        from unnest($10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::timestamptz[]) as i(tenant_id, id, held, spent, at)
        join budgets b on b.tenant_id = i.tenant_id and b.id = i.id
        order by b.tenant_id, array_position(array['task', 'agent', 'run', 'workflow', 'team', 'tenant'], b.scope), b.id for update of b),
      sums as materialized (
        select tenant_id, id, sum(held)::bigint as held, sum(spent)::bigint as spent from budget_rows where place = 'present' group by 1, 2),
      ledger as (
        update budgets b set held = b.held + r.held, spent = b.spent + r.spent
        from sums r
        where b.tenant_id = r.tenant_id and b.id = r.id
          and (r.held + r.spent <= 0 or b.hard_limit is null or b.held + b.spent + r.held + r.spent <= b.hard_limit)
        returning 1)
      ${last ? mustHold : whatHolds}`,
    values: [
      agents.map((a) => a.tenant),
      agents.map((a) => a.agentId),
      agents.map((a) => a.used),
      steps.map((s) => s.tenant),
      steps.map((s) => s.runId),
      steps.map((s) => s.step),
      steps.map((s) => s.open),
      steps.map((s) => s.failed),
      steps.map((s) => s.cancelled),
      budgets.map((b) => b.tenant),
      budgets.map((b) => b.budget),
      budgets.map((b) => b.held),
      budgets.map((b) => b.spent),
      budgets.map((b) => b.at ?? null),
      now,
    ],
  }
}

const slotsHeld = '(select count(*) from slots) = (select count(*) from agent_rows)'
const budgetsHeld = '(select count(*) from ledger) = (select count(*) from sums)'
const whatHolds = `select (select json_agg(json_build_array(tenant_id, run_id, step)) from counted where open = 0) as ended,
        ${slotsHeld} as slots, ${budgetsHeld} as held,
        (select json_agg(json_build_array(tenant_id, id, held, spent, at, time_window, place)) from budget_rows
          where place <> 'present') as displaced`
const mustHold = `select conflict_unless(not exists (select from counted where open = 0), 'a step ended'),
        conflict_unless(${slotsHeld}, 'an agent was given to others meanwhile'),
        conflict_unless(not exists (select from budget_rows where place <> 'present'), 'a budget is in another window'),
        conflict_unless(${budgetsHeld}, 'a budget changed while it was being held')`

interface Row {
  ended: [TenantId, string, string][] | null
  slots: boolean
  held: boolean
  displaced: [TenantId, string, number, number, string | null, string, DisplacedDelta['place']][] | null
}
