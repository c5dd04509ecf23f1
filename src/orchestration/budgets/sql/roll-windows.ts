import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import { type TimeWindow, windowAt } from '../budget-windows-contract.ts'

export interface Rolling {
  readonly tenant: TenantId
  readonly id: string
  readonly timeWindow: TimeWindow
  /** Nobody asks for it now: a window that begins with its first use does not begin yet. */
  readonly idle?: boolean
}

/**
 * Begins the present window of budgets whose last one is over, or that never had one. What is held stays with the old window
 * and is settled there, whether a reservation holds it or a leased task. A window without a successor is closed: the next
 * begins with the next use.
 */
export async function rollWindows(tx: Tx, budgets: readonly Rolling[], now: Date): Promise<void> {
  if (budgets.length === 0) return
  const spans = budgets.map((budget) => (budget.idle === true ? null : windowAt(budget.timeWindow, now)))
  await tx.execute(sql`
    with input as materialized (
      select * from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.id)}::text[],
        ${spans.map((span) => span?.start ?? null)}::timestamptz[], ${spans.map((span) => span?.end ?? null)}::timestamptz[])
        as i(tenant_id, id, new_start, new_end)),
    over as materialized (
      select b.*, i.new_start, i.new_end from input i join budgets b on b.tenant_id = i.tenant_id and b.id = i.id
      where b.window_end <= ${now} or (b.window_end is null and i.new_start is not null)
      order by b.tenant_id, array_position(array['task', 'agent', 'run', 'workflow', 'team', 'tenant'], b.scope), b.id for update of b),
    kept as (
      insert into budget_windows as w
        (tenant_id, budget_id, window_start, window_end, held, leased, spent, metered, reported, hard_limit)
      select tenant_id, id, window_start, window_end, held, held - reserved, spent, metered, reported, hard_limit from over
      where window_start is not null and (held <> 0 or spent <> 0)
      on conflict (tenant_id, budget_id, window_start) do update set held = w.held + excluded.held,
        leased = w.leased + excluded.leased, spent = w.spent + excluded.spent, metered = w.metered + excluded.metered,
        reported = w.reported + excluded.reported, hard_limit = excluded.hard_limit)
    update budgets b set held = case when o.window_start is null then b.held else 0 end, reserved = 0,
      spent = case when o.window_start is null then b.spent else 0 end,
      metered = case when o.window_start is null then b.metered else 0 end,
      reported = case when o.window_start is null then b.reported else 0 end,
      window_start = o.new_start, window_end = o.new_end, soft_told_at = null, rev = b.rev + 1
    from over o where b.tenant_id = o.tenant_id and b.id = o.id`)
}
