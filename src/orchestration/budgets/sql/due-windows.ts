import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { Rolling } from './roll-windows.ts'

/** Windowed budgets whose window is over, or that are used although none has begun. */
export async function dueWindows(tx: ReadTx, now: Date): Promise<readonly Rolling[]> {
  return tx.query<Rolling>(sql`
    select tenant_id as tenant, id, time_window as "timeWindow", window_start is not null as idle
    from budgets
    where time_window not in ('total', 'run')
      and (window_end <= ${now} or (window_end is null and (held <> 0 or spent <> 0)))
    order by tenant_id, id limit 1000`)
}
