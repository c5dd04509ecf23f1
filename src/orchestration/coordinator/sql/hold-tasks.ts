import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { byKey } from './by-key.ts'
import { chunksOf, mostTasks } from './chunks-of.ts'
import { inIdOrder } from './in-id-order.ts'
import { insertTaskEvents } from './task-events.ts'

/** Takes ready tasks out of their lane until what they wait for has room. */
export async function holdTasks(
  tx: Tx,
  refused: readonly { readonly tenant: TenantId; readonly taskId: string; readonly reason: string }[],
  now: Date,
): Promise<void> {
  for (const tasks of chunksOf(inIdOrder(refused))) await holdChunk(tx, tasks, now)
}

async function holdChunk(
  tx: Tx,
  tasks: readonly { readonly tenant: TenantId; readonly taskId: string; readonly reason: string }[],
  now: Date,
): Promise<void> {
  await tx.execute({
    name: 'hold-tasks',
    text: `
      with held as (
        update tasks t set state = 'waiting', reason = i.reason, rev = t.rev + 1
        from unnest($1::text[], $2::text[], $3::text[]) as i(tenant_id, id, reason)
        where t.tenant_id = i.tenant_id and t.id = i.id and t.state || '' = 'ready' and ${byKey}
        returning t.tenant_id, t.id, t.rev, t.run_id, t.step, t.reason)${insertTaskEvents({
          type: "'task.waiting'",
          at: '$4',
          data: "json_build_object('step', step, 'reason', reason)::text",
          from: 'held',
        })}`,
    values: [tasks.map((t) => t.tenant), tasks.map((t) => t.taskId), tasks.map((t) => t.reason), now],
  })
}

/** Puts tasks that wait for one of the reasons back into their lanes, the oldest first, at most `limit` a reason. */
export async function admitWaiting(
  tx: Tx,
  reasons: readonly { readonly tenant: TenantId; readonly reason: string; readonly limit: number }[],
  now: Date,
): Promise<readonly { readonly tenant: TenantId; readonly pool: string }[]> {
  const shards: { readonly tenant: TenantId; readonly pool: string }[] = []
  const most = Math.max(1, Math.floor(mostTasks / Math.max(1, ...reasons.map((reason) => reason.limit))))
  for (let from = 0; from < reasons.length; from += most) {
    shards.push(...(await admitSome(tx, reasons.slice(from, from + most), now)))
  }
  return shards
}

async function admitSome(
  tx: Tx,
  reasons: readonly { readonly tenant: TenantId; readonly reason: string; readonly limit: number }[],
  now: Date,
): Promise<readonly { readonly tenant: TenantId; readonly pool: string }[]> {
  const rows = await tx.query<{ tenant_id: TenantId; pool: string }>({
    name: 'admit-waiting',
    text: `
      with chosen as (
        select c.tenant_id, c.id from unnest($1::text[], $2::text[], $3::int[]) as w(tenant_id, reason, max)
        cross join lateral (
          select tenant_id, id from tasks t
          where t.tenant_id = w.tenant_id and t.reason = w.reason and t.state = 'waiting'
          order by ready_seq limit w.max for update skip locked) c),
      admitted as (
        update tasks t set state = 'ready', reason = null, rev = t.rev + 1
        from chosen c where t.tenant_id = c.tenant_id and t.id = c.id and t.state = 'waiting'
        returning t.tenant_id, t.id, t.rev, t.run_id, t.step, t.item, t.pool),
      logged as (${insertTaskEvents({
        type: "'task.ready'",
        at: '$4',
        data: "json_build_object('step', step, 'item', item)::text",
        from: 'admitted',
      })})
      select distinct tenant_id, pool from admitted`,
    values: [reasons.map((r) => r.tenant), reasons.map((r) => r.reason), reasons.map((r) => r.limit), now],
  })
  return rows.map((row) => ({ tenant: row.tenant_id, pool: row.pool }))
}
