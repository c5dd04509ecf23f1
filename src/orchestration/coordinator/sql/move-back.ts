import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/**
 * Puts ready tasks at the end of their lanes. For those that were lost with their runners again and again: what kills
 * runners shall not take the same neighbours along each time, until these are taken for the cause.
 */
export async function moveBack(
  tx: Tx,
  tasks: readonly { readonly tenant: string; readonly taskId: string }[],
): Promise<void> {
  if (tasks.length === 0) return
  await tx.execute(sql`
    update tasks t set ready_seq = default
    from unnest(${tasks.map((task) => task.tenant)}::text[], ${tasks.map((task) => task.taskId)}::text[]) as i(tenant_id, id)
    where t.tenant_id = i.tenant_id and t.id = i.id and t.state || '' = 'ready' and i.id || '' = i.id`)
}
