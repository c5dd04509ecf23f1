import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { KnownBudget, NewBudget } from './budget-rules-contract.ts'

export async function insertBudgets(tx: Tx, budgets: readonly NewBudget[]): Promise<void> {
  if (budgets.length === 0) return
  await tx.execute(sql`
    insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit)
    select * from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.id)}::text[],
      ${budgets.map((b) => b.scope)}::text[], ${budgets.map((b) => b.scopeId)}::text[],
      ${budgets.map((b) => b.unit)}::text[], ${budgets.map((b) => b.hardLimit)}::bigint[])`)
}

/** A run, or one that waits for it. */
export interface BudgetedRun {
  readonly id: string
  readonly workflow: string
}

/** The budgets that bind every task of a run and of the runs it belongs to, from the run up to the tenant. */
export async function budgetsOfRuns(
  tx: ReadTx,
  tenant: TenantId,
  runs: readonly BudgetedRun[],
): Promise<readonly KnownBudget[]> {
  return tx.query<KnownBudget>(sql`
    select id, unit, hard_limit - spent as "left" from budgets
    where tenant_id = ${tenant} and (scope = 'tenant'
      or (scope = 'workflow' and scope_id = any (${runs.map((run) => run.workflow)}::text[]))
      or (scope = 'run' and scope_id = any (${runs.map((run) => run.id)}::text[])))
    order by array_position(array['run', 'workflow', 'tenant'], scope), id`)
}
