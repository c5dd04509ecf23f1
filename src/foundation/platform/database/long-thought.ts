import type { Tx } from './database.ts'
import type { Query } from './sql.ts'

/**
 * Says that this transaction is about to compute for long between two statements, which would otherwise end it as idle. Who
 * stops in the middle of it keeps its locks for as long.
 */
export function announceLongThought(tx: Tx): void {
  if (announced.has(tx)) return
  announced.add(tx)
  tx.post(settings)
}

const announced = new WeakSet<Tx>()

const settings: Query = { text: `set local idle_in_transaction_session_timeout = '30s'`, values: [] }
