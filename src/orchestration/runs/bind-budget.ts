import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface UnboundTask {
  readonly taskId: string
  /** In its lane: whoever has read what it holds may be about to lease it. */
  readonly ready: boolean
  readonly atWork: boolean
}

/** Locks open tasks of a tenant that agents do and that a budget does not bind yet, at most `limit`. */
export async function lockUnbound(
  tx: Tx,
  tenant: TenantId,
  budget: string,
  limit: number,
): Promise<readonly UnboundTask[]> {
  return tx.query(sql`
    select id as "taskId", state = 'ready' as ready, state in ('leased', 'running') as "atWork" from tasks
    where tenant_id = ${tenant} and state in ('pending', 'ready', 'waiting', 'leased', 'running') and pool <> ''
      and not coalesce(budget_ids, '{}') @> array[${budget}]
    order by id limit ${limit} for update`)
}

/** Has tasks hold one of a budget from now on. */
export async function bindTasks(tx: Tx, tenant: TenantId, budget: string, taskIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update tasks t set budget_ids = coalesce(t.budget_ids, '{}') || ${budget}::text, holds = coalesce(t.holds, '{}') || 1::bigint
    from unnest(${taskIds}::text[]) as i(id) where t.tenant_id = ${tenant} and t.id = i.id`)
}
