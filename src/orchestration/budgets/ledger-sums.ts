import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** What all budgets of a unit have spent and hold, in their present windows and in those that are over. */
export interface LedgerSum {
  readonly unit: string
  readonly spent: string
  readonly held: string
}

/** The ledger of all tenants added up, to the micro-dollar. Sums are texts: they may not fit a number. */
export async function sumLedger(tx: ReadTx): Promise<readonly LedgerSum[]> {
  return tx.query<LedgerSum>(sql`
    select unit, sum(spent)::text as spent, sum(held)::text as held from (
      select unit, spent, held from budgets
      union all
      select b.unit, w.spent, w.held from budget_windows w join budgets b on b.tenant_id = w.tenant_id and b.id = w.budget_id
    ) each group by unit order by unit`)
}
