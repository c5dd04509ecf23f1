import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { LedgerUnit } from '../budget-units-contract.ts'
import type { WindowSpan } from '../budget-windows-contract.ts'
import { arrayText } from './array-text.ts'
import { inLockOrder, lockOrder } from './lock-order.ts'

export interface SpendingRecord {
  readonly tenant: TenantId
  /** The same record twice counts once. */
  readonly id: string
  readonly runId: string | null
  readonly taskId: string | null
  readonly attempt: number | null
  readonly agentId: string | null
  readonly purpose: string
  readonly units: readonly LedgerUnit[]
  /** Beside `units`. */
  readonly amounts: readonly number[]
}

export interface BoundBudget {
  readonly tenant: TenantId
  readonly budget: string
  readonly scope: string
  readonly scopeId: string
  readonly unit: LedgerUnit
  readonly timeWindow: string
  readonly windowStart: Date | null
  readonly windowEnd: Date | null
}

/** A budget that a record counts against. `former`: in this window, which is over; null: in the present one. */
export interface SpendingLine extends BoundBudget {
  readonly former: WindowSpan | null
}

/** The windows on record of these budgets that were not over at `since`, by tenant and name. */
export async function readFormerWindows(
  tx: ReadTx,
  budgets: readonly BoundBudget[],
  since: Date | null,
): Promise<ReadonlyMap<string, readonly WindowSpan[]>> {
  const windowed = budgets.filter(({ timeWindow, windowStart }) => {
    return /^\d/.test(timeWindow) && since !== null && (windowStart === null || since < windowStart)
  })
  if (windowed.length === 0) return new Map()
  const rows = await tx.query<WindowSpan & { readonly key: string }>(sql`
    select w.tenant_id || '/' || w.budget_id as key, w.window_start as start, w.window_end as "end"
    from unnest(${windowed.map((b) => b.tenant)}::text[], ${windowed.map((b) => b.budget)}::text[]) as i(tenant_id, id)
    join budget_windows w on w.tenant_id = i.tenant_id and w.budget_id = i.id and w.window_end > ${since}`)
  return Map.groupBy(rows, (row) => row.key)
}

/** The budgets with one of these names, or for one of these places, locked; patterns for runs are left out. */
export async function lockBudgets(
  tx: Tx,
  named: readonly { readonly tenant: TenantId; readonly id: string }[],
  places: readonly { readonly tenant: TenantId; readonly scope: string; readonly scopeId: string }[],
): Promise<readonly BoundBudget[]> {
  return tx.query<BoundBudget>({
    name: 'lock-budgets',
    text: `
      with wanted as materialized (
        select * from unnest($1::text[], $2::text[]) as i(tenant_id, id)
        union
        select b.tenant_id, b.id from unnest($3::text[], $4::text[], $5::text[]) as w(tenant_id, scope, scope_id)
        join budgets b on b.scope_id = w.scope_id and b.scope = w.scope and b.tenant_id = w.tenant_id)
      select b.tenant_id as tenant, b.id as budget, b.scope, b.scope_id as "scopeId", b.unit, b.time_window as "timeWindow",
        b.window_start as "windowStart", b.window_end as "windowEnd"
      from wanted w join budgets b on b.tenant_id = w.tenant_id and b.id = w.id
      where b.time_window <> 'run' or b.origin <> ''
      order by ${lockOrder} for update of b`,
    values: [
      named.map((n) => n.tenant),
      named.map((n) => n.id),
      places.map((p) => p.tenant),
      places.map((p) => p.scope),
      places.map((p) => p.scopeId),
    ],
  })
}

/**
 * Writes what was told afterwards, as settled, and adds it to the budgets, which the caller has locked: `lines` are beside
 * the records. What is on record already is left alone.
 */
export async function recordSpending(
  tx: Tx,
  records: readonly SpendingRecord[],
  lines: readonly (readonly SpendingLine[])[],
  now: Date,
): Promise<number> {
  const windowOf = ({ former, windowStart }: SpendingLine) => (former?.start ?? windowStart)?.toISOString() ?? null
  const fresh = await tx.query<{ tenant: string; id: string }>(sql`
    insert into reservations (tenant_id, id, state, enforcement, if_lost, holder, run_id, task_id, attempt, agent_id, purpose,
      priority, units, holds, expected, spent, budget_ids, budget_units, budget_windows, created_at, expires_at, ended_at)
    select i.tenant_id, i.id, 'settled', 'reported', 'release', '', i.run_id, i.task_id, i.attempt, i.agent_id, i.purpose, 5,
      i.units::text[], i.zeros::bigint[], i.zeros::bigint[], i.amounts::bigint[], i.budget_ids::text[], i.budget_units::smallint[],
      i.windows::timestamptz[], ${now}, ${now}, ${now}
    from unnest(${records.map((r) => r.tenant)}::text[], ${records.map((r) => r.id)}::text[],
      ${records.map((r) => r.runId)}::text[], ${records.map((r) => r.taskId)}::text[], ${records.map((r) => r.attempt)}::int[],
      ${records.map((r) => r.agentId)}::text[], ${records.map((r) => r.purpose)}::text[],
      ${records.map((r) => arrayText(r.units))}::text[], ${records.map((r) => arrayText(r.amounts.map(() => 0)))}::text[],
      ${records.map((r) => arrayText(r.amounts))}::text[], ${lines.map((l) => arrayText(l.map((b) => b.budget)))}::text[],
      ${lines.map((l, n) => arrayText(l.map((b) => records[n]!.units.indexOf(b.unit) + 1)))}::text[],
      ${lines.map((l) => arrayText(l.map(windowOf)))}::text[])
      as i(tenant_id, id, run_id, task_id, attempt, agent_id, purpose, units, zeros, amounts, budget_ids, budget_units, windows)
    on conflict do nothing
    returning tenant_id as tenant, id`)
  const written = new Set(fresh.map((row) => `${row.tenant}/${row.id}`))
  const sums = new Map<string, SpendingLine & { readonly amount: number }>()
  records.forEach(({ tenant, id, units, amounts }, n) => {
    if (!written.has(`${tenant}/${id}`)) return
    for (const line of lines[n]!) {
      const key = `${tenant}/${line.budget}/${line.former === null ? '' : windowOf(line)}`
      sums.set(key, { ...line, amount: (sums.get(key)?.amount ?? 0) + amounts[units.indexOf(line.unit)]! })
    }
  })
  const deltas = inLockOrder([...sums.values()])
  await addToPresent(
    tx,
    deltas.filter((delta) => delta.former === null),
  )
  await addToFormer(
    tx,
    deltas.flatMap((delta) => (delta.former === null ? [] : [{ ...delta, former: delta.former }])),
  )
  return written.size
}

type Told = Pick<SpendingLine, 'tenant' | 'budget'> & { readonly amount: number }

async function addToPresent(tx: Tx, deltas: readonly Told[]): Promise<void> {
  if (deltas.length === 0) return
  await tx.execute(sql`
    update budgets b set spent = b.spent + i.amount, reported = b.reported + i.amount
    from unnest(${deltas.map((d) => d.tenant)}::text[], ${deltas.map((d) => d.budget)}::text[],
      ${deltas.map((d) => d.amount)}::bigint[]) as i(tenant_id, id, amount)
    where b.tenant_id = i.tenant_id and b.id = i.id`)
}

/** A window in which nothing was spent until now has no row yet. */
async function addToFormer(tx: Tx, deltas: readonly (Told & { readonly former: WindowSpan })[]): Promise<void> {
  if (deltas.length === 0) return
  await tx.execute(sql`
    insert into budget_windows as w (tenant_id, budget_id, window_start, window_end, held, spent, metered, reported, hard_limit)
    select i.tenant_id, i.id, i.start, i.until, 0, i.amount, 0, i.amount, b.hard_limit
    from unnest(${deltas.map((d) => d.tenant)}::text[], ${deltas.map((d) => d.budget)}::text[],
      ${deltas.map((d) => d.former.start)}::timestamptz[], ${deltas.map((d) => d.former.end)}::timestamptz[],
      ${deltas.map((d) => d.amount)}::bigint[]) as i(tenant_id, id, start, until, amount)
    join budgets b on b.tenant_id = i.tenant_id and b.id = i.id
    on conflict (tenant_id, budget_id, window_start) do update set spent = w.spent + excluded.spent,
      reported = w.reported + excluded.reported`)
}
