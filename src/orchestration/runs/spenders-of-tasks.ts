import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

/** On whose account an attempt spends. */
export interface TaskSpender {
  readonly tenant: TenantId
  readonly taskId: string
  readonly fence: number
  readonly runId: string
  readonly pool: string
  /** Null where nobody knows any more whose lease it was. */
  readonly agentId: string | null
  readonly attempt: number
  /** When the lease began; null likewise. */
  readonly leasedAt: Date | null
  readonly budgetIds: readonly string[]
}

/** Tasks that have, or had, the lease with this fence. */
export async function spendersOfTasks(
  tx: ReadTx,
  leases: readonly { readonly tenant: TenantId; readonly taskId: string; readonly fence: number }[],
): Promise<readonly TaskSpender[]> {
  return tx.query<TaskSpender>(sql`
    select t.tenant_id as tenant, t.id as "taskId", i.fence, t.run_id as "runId", t.pool, coalesce(p.attempt, t.attempt) as attempt,
      coalesce(p.agent_id, case when t.fence = i.fence then t.agent_id end) as "agentId",
      coalesce(p.leased_at, case when t.fence = i.fence then t.leased_at end) as "leasedAt",
      coalesce(t.budget_ids, '{}') as "budgetIds"
    from unnest(${leases.map((l) => l.tenant)}::text[], ${leases.map((l) => l.taskId)}::text[],
      ${leases.map((l) => l.fence)}::bigint[]) as i(tenant_id, id, fence)
    join tasks t on t.tenant_id = i.tenant_id and t.id = i.id and t.fence >= i.fence
    left join past_attempts p on p.tenant_id = i.tenant_id and p.task_id = i.id and p.fence = i.fence`)
}

/** How many tasks wait for each of these budgets; a budget for which none waits is left out. At most 1,000 are counted. */
export async function countWaitingFor(
  tx: ReadTx,
  tenant: TenantId,
  budgets: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.query<{ budget: string; waiting: number }>(sql`
    select i.budget, w.n::int as waiting from unnest(${budgets}::text[]) as i(budget) cross join lateral (
      select count(*) as n from (
        select 1 from tasks t where t.tenant_id = ${tenant} and t.reason = 'budget:' || i.budget and t.state = 'waiting'
        limit 1000) c) w
    where w.n > 0`)
  return new Map(rows.map((row) => [row.budget, row.waiting]))
}
