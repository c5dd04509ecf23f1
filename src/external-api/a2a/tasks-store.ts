import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'

/** A run as a task of the protocol. */
export interface TaskRow {
  readonly runId: RunId
  readonly agent: string
  readonly contextId: string
  readonly caller: string
  readonly createdAt: Date
}

export type MessagePart = { readonly text: string } | { readonly data: JsonValue }

export interface MessageRow {
  readonly messageId: string
  readonly content: readonly MessagePart[]
}

/** Whose message it is. */
export interface MessageKey {
  readonly tenant: TenantId
  readonly agent: string
  readonly caller: string
  readonly messageId: string
}

const columns: Query = sql`run_id as "runId", agent, context_id as "contextId", caller, created_at as "createdAt"`

export async function insertTask(tx: Tx, tenant: TenantId, task: TaskRow): Promise<void> {
  await tx.execute(sql`
    insert into a2a_tasks (tenant_id, run_id, agent, context_id, caller, created_at)
    values (${tenant}, ${task.runId}, ${task.agent}, ${task.contextId}, ${task.caller}, ${task.createdAt})`)
}

export async function findTask(tx: ReadTx, tenant: TenantId, agent: string, runId: string): Promise<TaskRow | null> {
  const [row] = await tx.query<TaskRow>(sql`
    select ${columns} from a2a_tasks where tenant_id = ${tenant} and run_id = ${runId} and agent = ${agent}`)
  return row ?? null
}

/** Of runs that are tasks; others are left out. */
export async function findTasks(
  tx: ReadTx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<readonly (TaskRow & { readonly tenant: TenantId })[]> {
  return tx.query(sql`
    select t.tenant_id as tenant, ${columns} from a2a_tasks t
    where (t.tenant_id, t.run_id) in (select * from unnest(${runs.map((run) => run.tenant)}::text[], ${runs.map((run) => run.runId)}::text[]))`)
}

export interface TaskFilter {
  readonly agent: string
  readonly contextId: string | null
  readonly before: { readonly at: Date; readonly runId: string } | null
  readonly limit: number
}

/** The newest first. */
export async function listTaskRows(tx: ReadTx, tenant: TenantId, filter: TaskFilter): Promise<readonly TaskRow[]> {
  const { agent, contextId, before, limit } = filter
  return tx.query<TaskRow>(sql`
    select ${columns} from a2a_tasks
    where tenant_id = ${tenant} and agent = ${agent} and (${contextId}::text is null or context_id = ${contextId})
      and (${before?.at ?? null}::timestamptz is null
        or (created_at, run_id) < (${before?.at ?? null}::timestamptz, ${before?.runId ?? null}))
    order by created_at desc, run_id desc limit ${limit}`)
}

export async function countTasks(
  tx: ReadTx,
  tenant: TenantId,
  agent: string,
  contextId: string | null,
): Promise<number> {
  const [row] = await tx.query<{ count: number }>(sql`
    select count(*)::int as count from a2a_tasks
    where tenant_id = ${tenant} and agent = ${agent} and (${contextId}::text is null or context_id = ${contextId})`)
  return row!.count
}

/** False: the message is known. Waits for whoever writes the same one just now. */
export async function insertMessage(
  tx: Tx,
  { tenant, agent, caller, messageId }: MessageKey,
  content: readonly MessagePart[],
  now: Date,
): Promise<boolean> {
  const written = await tx.execute(sql`
    insert into a2a_messages (tenant_id, agent, caller, message_id, content, created_at)
    values (${tenant}, ${agent}, ${caller}, ${messageId}, ${json(content)}::jsonb, ${now}) on conflict do nothing`)
  return written === 1
}

export async function bindMessage(
  tx: Tx,
  { tenant, agent, caller, messageId }: MessageKey,
  runId: string,
): Promise<void> {
  await tx.execute(sql`
    update a2a_messages set run_id = ${runId}
    where tenant_id = ${tenant} and agent = ${agent} and caller = ${caller} and message_id = ${messageId}`)
}

export async function deleteMessage(tx: Tx, { tenant, agent, caller, messageId }: MessageKey): Promise<void> {
  await tx.execute(sql`
    delete from a2a_messages
    where tenant_id = ${tenant} and agent = ${agent} and caller = ${caller} and message_id = ${messageId}`)
}

export async function runOfMessage(
  tx: ReadTx,
  { tenant, agent, caller, messageId }: MessageKey,
): Promise<RunId | null> {
  const [row] = await tx.query<{ run_id: RunId | null }>(sql`
    select run_id from a2a_messages
    where tenant_id = ${tenant} and agent = ${agent} and caller = ${caller} and message_id = ${messageId}`)
  return row?.run_id ?? null
}

/** Of a task, as they came; the latest hundred. */
export async function messagesOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly MessageRow[]> {
  const rows = await tx.query<MessageRow>(sql`
    select message_id as "messageId", content from a2a_messages
    where tenant_id = ${tenant} and run_id = ${runId} order by seq desc limit 100`)
  return rows.toReversed()
}
