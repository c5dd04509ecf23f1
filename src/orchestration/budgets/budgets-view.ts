import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { type BudgetUnit, fromLedger, unitOfLedger } from './budget-units-contract.ts'
import type { BudgetDetail, BudgetScope, BudgetView, LedgerEntry } from './budgets-contract.ts'
import type { CountedSubscription } from './subscription-port.ts'

/** Budgets shown at once, at most. */
const most = 1_000

interface Row {
  readonly id: string
  readonly scope: BudgetScope
  readonly scope_id: string
  readonly unit: string
  readonly time_window: string
  readonly window_start: Date | null
  readonly window_end: Date | null
  readonly hard_limit: number | null
  readonly soft_limit: number | null
  readonly soft_told_at: Date | null
  readonly held: number
  readonly spent: number
  readonly metered: number
  readonly reported: number
  readonly origin: string
  readonly rev: number
}

const columns = sql`id, scope, scope_id, unit, time_window, window_start, window_end, hard_limit, soft_limit, soft_told_at, held,
  spent, metered, reported, origin, rev`

export interface BudgetFilter {
  readonly scope?: BudgetScope | undefined
  readonly scopeId?: string | undefined
}

export async function readBudgets(tx: ReadTx, tenant: TenantId, filter: BudgetFilter): Promise<readonly BudgetView[]> {
  const { scope = null, scopeId = null } = filter
  const rows = await tx.query<Row>(sql`
    select ${columns} from budgets
    where tenant_id = ${tenant} and (${scopeId}::text is null or scope_id = ${scopeId})
      and case when ${scope}::text is null then ${scopeId}::text is not null or scope not in ('run', 'task') else scope = ${scope} end
    order by array_position(array['tenant', 'team', 'workflow', 'agent', 'run', 'task'], scope), scope_id, unit, time_window
    limit ${most}`)
  return rows.map(toView)
}

export async function readBudget(tx: ReadTx, tenant: TenantId, id: string): Promise<BudgetView | null> {
  const [row] = await tx.query<Row>(sql`select ${columns} from budgets where tenant_id = ${tenant} and id = ${id}`)
  return row === undefined ? null : toView(row)
}

function toView(row: Row): BudgetView {
  const unit = unitOfLedger(row.unit)
  const { metered, reported } = row
  return {
    ...{ id: row.id, scope: row.scope, scopeId: row.scope_id, unit, window: row.time_window },
    windowStart: row.window_start?.toISOString() ?? null,
    windowEnd: row.window_end?.toISOString() ?? null,
    hardLimit: maybe(unit, row.hard_limit),
    softLimit: maybe(unit, row.soft_limit),
    softReachedAt: row.soft_told_at?.toISOString() ?? null,
    held: fromLedger(unit, row.held),
    spent: fromLedger(unit, row.spent),
    left: maybe(unit, row.hard_limit === null ? null : Math.max(0, row.hard_limit - row.held - row.spent)),
    byEnforcement: {
      metered: fromLedger(unit, metered),
      capped: fromLedger(unit, row.spent - metered - reported),
      reported: fromLedger(unit, reported),
    },
    origin: row.origin === '' ? null : row.origin,
    rev: row.rev,
  }
}

function maybe(unit: BudgetUnit, amount: number | null): number | null {
  return amount === null ? null : fromLedger(unit, amount)
}

/** What a budget's open reservations hold and expect, who waits for it, and its former windows. */
export async function readDetail(
  tx: ReadTx,
  tenant: TenantId,
  budget: BudgetView,
  waitingTasks: number,
  counted: readonly CountedSubscription[],
  now: Date,
): Promise<BudgetDetail> {
  const { id, unit } = budget
  const [sums] = await tx.query<{ expected: number; open: number; waiting: number }>(sql`
    select coalesce(sum(r.expected[u.k]) filter (where r.state = 'held'), 0)::bigint as expected,
      count(*) filter (where r.state = 'held')::int as open,
      count(*) filter (where r.state = 'waiting' and r.waits_for = ${id})::int as waiting
    from reservations r left join lateral (
      select k from unnest(r.budget_ids, r.budget_units) as b(budget, k) where b.budget = ${id} limit 1) u on true
    where r.tenant_id = ${tenant} and r.state in ('held', 'waiting') and (${id} = any (r.budget_ids) or r.waits_for = ${id})`)
  const windows = await tx.query<{ start: Date; end: Date; held: number; spent: number; limit: number | null }>(sql`
    select window_start as start, window_end as "end", held, spent, hard_limit as "limit" from budget_windows
    where tenant_id = ${tenant} and budget_id = ${id} order by window_start desc limit 31`)
  return {
    ...budget,
    expected: fromLedger(unit, sums!.expected),
    reservations: sums!.open,
    waiting: { tasks: waitingTasks, reservations: sums!.waiting },
    subscriptions: counted.map(({ name, window, windowEnd, usedPpm }) => ({
      ...{ name, window, windowEnd: windowEnd?.toISOString() ?? null },
      usedShare: windowEnd !== null && windowEnd > now ? fromLedger('subscription-share', usedPpm) : 0,
    })),
    windows: windows.map(({ start, end, held, spent, limit }) => ({
      ...{ windowStart: start.toISOString(), windowEnd: end.toISOString() },
      ...{ held: fromLedger(unit, held), spent: fromLedger(unit, spent), hardLimit: maybe(unit, limit) },
    })),
  }
}

interface LedgerRow extends Omit<LedgerEntry, 'windowStart' | 'createdAt' | 'endedAt'> {
  readonly windowStart: Date | null
  readonly createdAt: Date
  readonly endedAt: Date | null
}

/** The latest reservations of a budget, newest first. */
export async function readLedger(
  tx: ReadTx,
  tenant: TenantId,
  { id, unit }: BudgetView,
  limit: number,
): Promise<readonly LedgerEntry[]> {
  const rows = await tx.query<LedgerRow>(sql`
    select r.id, r.state, r.enforcement, case when r.state = 'held' then r.holds[b.k] else 0 end as held,
      r.expected[b.k] as expected, r.spent[b.k] as spent, b.win as "windowStart", r.run_id as "runId", r.task_id as "taskId",
      r.agent_id as "agentId", r.purpose, r.created_at as "createdAt", r.ended_at as "endedAt"
    from reservations r cross join lateral unnest(r.budget_ids, r.budget_units, r.budget_windows) as b(budget, k, win)
    where r.tenant_id = ${tenant} and b.budget = ${id} order by r.created_at desc, r.id desc limit ${limit}`)
  return rows.map((row) => ({
    ...row,
    held: fromLedger(unit, row.held),
    expected: fromLedger(unit, row.expected),
    spent: fromLedger(unit, row.spent),
    windowStart: row.windowStart?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
  }))
}
