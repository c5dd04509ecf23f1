import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/** Removes reservations that began and ended before; a bounded number, the rest the next time. */
export async function forgetEnded(tx: Tx, before: Date): Promise<void> {
  await tx.execute(sql`
    delete from reservations r using (
      select tenant_id, id from reservations where created_at < ${before} and ended_at < ${before} limit 10000) o
    where r.tenant_id = o.tenant_id and r.id = o.id`)
}
