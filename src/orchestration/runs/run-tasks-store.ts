import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { RunRef } from './run-rows.ts'
import { taskRange } from './task-ids-contract.ts'

/** A task that may go back into its lane. */
export interface HeldTask {
  readonly id: string
  readonly reason: string | null
  readonly concurrency: readonly string[]
  /** It is nothing for an agent: its work is a run of another workflow. */
  readonly isCall: boolean
}

/**
 * Locks the open tasks of runs, in id order. Whoever steers a run does this before locking the run itself, because those
 * who report tasks go the same way: from tasks to their run.
 */
export async function lockOpenTasks(tx: Tx, refs: readonly RunRef[]): Promise<void> {
  const ranges = refs.map((ref) => taskRange(ref.runId))
  await tx.execute(sql`
    select 1 from unnest(${refs.map((r) => r.tenant)}::text[], ${ranges.map((r) => r.from)}::text[],
      ${ranges.map((r) => r.to)}::text[]) as w(tenant_id, first, past)
    join tasks t on t.tenant_id = w.tenant_id and t.id >= w.first and t.id < w.past
    where t.state || '' in ('ready', 'waiting', 'leased', 'running')
    order by t.tenant_id, t.id for update of t`)
}

/** Asks the runners that work on tasks of the run to end them. Returns those runners. */
export async function requestCancel(tx: Tx, ref: RunRef, reason: string): Promise<readonly string[]> {
  const range = taskRange(ref.runId)
  const rows = await tx.query<{ runner_id: string }>(sql`
    update tasks set cancel_reason = ${reason}
    where tenant_id = ${ref.tenant} and id >= ${range.from} and id < ${range.to} and state || '' in ('leased', 'running')
    returning runner_id`)
  return [...new Set(rows.map((row) => row.runner_id))]
}

/** Tasks of the run that nobody works on. */
export async function idleTasks(tx: ReadTx, ref: RunRef): Promise<readonly string[]> {
  const range = taskRange(ref.runId)
  const rows = await tx.query<{ id: string }>(sql`
    select id from tasks
    where tenant_id = ${ref.tenant} and id >= ${range.from} and id < ${range.to} and state || '' in ('ready', 'waiting')
    order by id`)
  return rows.map((row) => row.id)
}

/** Locks the tasks that would begin by themselves: those that are ready, and those that wait for a budget or a place. */
export async function lockUpcoming(tx: Tx, ref: RunRef): Promise<readonly HeldTask[]> {
  const range = taskRange(ref.runId)
  return tx.query<HeldTask>(sql`
    select id, reason, concurrency, pool = '' as "isCall" from tasks
    where tenant_id = ${ref.tenant} and id >= ${range.from} and id < ${range.to}
      and (state || '' = 'ready' or (state || '' = 'waiting' and (reason like 'budget:%' or reason like 'concurrency:%')))
    order by id for update`)
}

/** Tasks that wait because their run is paused. */
export async function pausedTasks(tx: ReadTx, ref: RunRef): Promise<readonly HeldTask[]> {
  const range = taskRange(ref.runId)
  return tx.query<HeldTask>(sql`
    select id, reason, concurrency, pool = '' as "isCall" from tasks
    where tenant_id = ${ref.tenant} and id >= ${range.from} and id < ${range.to} and state || '' = 'waiting'
      and reason in (${pausedReason(ref.runId)}, ${pausedQueueReason(ref.runId)})
    order by id`)
}

/** Of a task that keeps the places it has. */
export function pausedReason(runId: string): string {
  return `paused:${runId}`
}

/** Of a task that had not yet got its places. */
export function pausedQueueReason(runId: string): string {
  return `paused-queue:${runId}`
}

/** Open runs that tasks of this run wait for. */
export async function openCalls(tx: ReadTx, ref: RunRef): Promise<readonly RunId[]> {
  const range = taskRange(ref.runId)
  const rows = await tx.query<{ id: RunId }>(sql`
    select id from runs
    where tenant_id = ${ref.tenant} and parent_task >= ${range.from} and parent_task < ${range.to} and ended_at is null
    order by id`)
  return rows.map((row) => row.id)
}

/** Open runs that these tasks wait for. */
export async function openCallsOf(tx: ReadTx, tenant: TenantId, taskIds: readonly string[]): Promise<readonly RunId[]> {
  const rows = await tx.query<{ id: RunId }>(sql`
    select id from runs where tenant_id = ${tenant} and parent_task = any (${taskIds}::text[]) and ended_at is null
    order by id`)
  return rows.map((row) => row.id)
}
