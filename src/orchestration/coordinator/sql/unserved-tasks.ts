import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { HeldBudget } from '../fit-to-budgets.ts'

export interface UnservedTask {
  readonly tenant: TenantId
  readonly taskId: string
  /** The budget for which it waits. */
  readonly waitsFor: string
  readonly timeoutMs: number
  readonly budgets: readonly HeldBudget[]
}

/** Tasks that wait for one of these budgets although nobody holds anything of it: no settlement will wake them. */
export async function unservedTasks(
  tx: ReadTx,
  budgets: readonly { readonly tenant: TenantId; readonly name: string }[],
  limit: number,
): Promise<readonly UnservedTask[]> {
  if (budgets.length === 0) return []
  return tx.query<UnservedTask>(sql`
    select t.tenant_id as tenant, t.id as "taskId", w.name as "waitsFor", t.timeout_ms as "timeoutMs", h.budgets
    from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.name)}::text[]) as w(tenant_id, name)
    left join budgets b on b.tenant_id = w.tenant_id and b.id = w.name
    cross join lateral (
      select t.tenant_id, t.id, t.timeout_ms, t.budget_ids, t.holds, t.ready_seq from tasks t
      where t.tenant_id = w.tenant_id and t.reason = 'budget:' || w.name and t.state = 'waiting'
      order by t.ready_seq limit ${limit}) t
    cross join lateral (
      select json_agg(json_build_object('id', u.id, 'unit', k.unit, 'scope', k.scope, 'limit', k.hard_limit,
        'left', k.hard_limit - k.spent, 'hold', u.hold)) as budgets
      from unnest(t.budget_ids, t.holds) as u(id, hold)
      join budgets k on k.tenant_id = t.tenant_id and k.id = u.id) h
    where coalesce(b.held, 0) = 0
    order by t.ready_seq`)
}

/** Gives waiting tasks less time, and with it smaller holds. */
export async function shortenTasks(
  tx: Tx,
  tasks: readonly {
    readonly tenant: TenantId
    readonly taskId: string
    readonly timeoutMs: number
    readonly holds: readonly number[]
  }[],
): Promise<void> {
  if (tasks.length === 0) return
  await tx.execute(sql`
    update tasks t set timeout_ms = i.timeout_ms, holds = i.holds::bigint[],
      spec = coalesce(t.spec, '{}') || jsonb_build_object('timeoutMs', i.timeout_ms)
    from unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[],
      ${tasks.map((t) => t.timeoutMs)}::bigint[], ${tasks.map((t) => `{${t.holds.join(',')}}`)}::text[])
      as i(tenant_id, id, timeout_ms, holds)
    where t.tenant_id = i.tenant_id and t.id = i.id and t.state || '' = 'waiting'`)
}
