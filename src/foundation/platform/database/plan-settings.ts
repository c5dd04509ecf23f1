import type { Tx } from './database.ts'
import type { Query } from './sql.ts'

/**
 * The statements of the system role work on batches of rows that they name by key. Without these, statistics that are
 * older than a burst of work make the planner join such a batch with a scan of the whole table (seen: 460 ms instead of
 * 20 for 500 tasks). They leave one good plan, so that a statement need not be planned again for every call: that took an
 * eighth of the server's time.
 */
export const byIndex: Readonly<Record<string, string>> = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
}

/** Gives the rest of a tenant's transaction the plans of the system role: planning anew costs more than the statements. */
export function planLikeSystem(tx: Tx): void {
  if (tx.tenant === null || alike.has(tx)) return
  alike.add(tx)
  tx.post(settings)
}

const alike = new WeakSet<Tx>()

const settings: Query = {
  name: 'plan-like-system',
  text: `select ${Object.entries({ plan_cache_mode: 'force_generic_plan', ...byIndex })
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(', ')}`,
  values: [],
}
