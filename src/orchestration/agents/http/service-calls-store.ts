import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { ServiceMessage } from './service-calls-contract.ts'

export interface ServiceCallRow {
  readonly id: string
  readonly taskId: string
  readonly fence: number
  readonly runId: string
  readonly pool: string
  /** Wrapped, so that an answer that is null is told from none. */
  readonly accepted: { readonly answer: JsonValue } | null
  readonly resume: boolean
  readonly tokenKey: Uint8Array
  readonly lastSeq: number
  readonly expiresAt: Date
  readonly closedAt: Date | null
  readonly closedReason: string | null
}

export interface StoredMessage {
  readonly seq: number
  readonly body: ServiceMessage
  readonly answer: JsonValue | null
}

const columns: Query = sql`id, task_id as "taskId", fence::int8 as fence, run_id as "runId", pool, accepted, resume,
  token_key as "tokenKey", last_seq as "lastSeq", expires_at as "expiresAt", closed_at as "closedAt",
  closed_reason as "closedReason"`

export async function insertCall(
  tx: Tx,
  tenant: TenantId,
  call: Pick<ServiceCallRow, 'id' | 'taskId' | 'fence' | 'runId' | 'pool' | 'resume' | 'tokenKey' | 'expiresAt'>,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into service_calls (tenant_id, id, task_id, fence, run_id, pool, resume, token_key, created_at, expires_at)
    values (${tenant}, ${call.id}, ${call.taskId}, ${call.fence}, ${call.runId}, ${call.pool}, ${call.resume}, ${call.tokenKey},
      ${now}, ${call.expiresAt})`)
}

export async function lockCall(tx: Tx, tenant: TenantId, id: string): Promise<ServiceCallRow | null> {
  const rows = await tx.query<ServiceCallRow>(sql`
    select ${columns} from service_calls where tenant_id = ${tenant} and id = ${id} for update`)
  return rows[0] === undefined ? null : toRow(rows[0])
}

export async function findCall(tx: ReadTx, tenant: TenantId, id: string): Promise<ServiceCallRow | null> {
  const rows = await tx.query<ServiceCallRow>(sql`
    select ${columns} from service_calls where tenant_id = ${tenant} and id = ${id}`)
  return rows[0] === undefined ? null : toRow(rows[0])
}

/** What is open under a lease; null: nothing. */
export async function findCallOfLease(
  tx: ReadTx,
  tenant: TenantId,
  { taskId, fence }: { readonly taskId: string; readonly fence: number },
): Promise<ServiceCallRow | null> {
  const rows = await tx.query<ServiceCallRow>(sql`
    select ${columns} from service_calls
    where tenant_id = ${tenant} and task_id = ${taskId} and fence = ${fence} and closed_at is null limit 1`)
  return rows[0] === undefined ? null : toRow(rows[0])
}

/** What former attempts of a task have left open, the newest first. */
export async function lockOpenCalls(tx: Tx, tenant: TenantId, taskId: string): Promise<readonly ServiceCallRow[]> {
  const rows = await tx.query<ServiceCallRow>(sql`
    select ${columns} from service_calls where tenant_id = ${tenant} and task_id = ${taskId} and closed_at is null
    order by created_at desc, id desc limit 100 for update`)
  return rows.map(toRow)
}

export async function takeOverCall(
  tx: Tx,
  tenant: TenantId,
  id: string,
  fence: number,
  expiresAt: Date,
): Promise<void> {
  await tx.execute(sql`update service_calls set fence = ${fence}, expires_at = greatest(expires_at, ${expiresAt})
    where tenant_id = ${tenant} and id = ${id}`)
}

export async function keepAccepted(tx: Tx, tenant: TenantId, id: string, answer: JsonValue): Promise<void> {
  await tx.execute(sql`update service_calls set accepted = ${json({ answer })}
    where tenant_id = ${tenant} and id = ${id} and closed_at is null`)
}

export async function closeCalls(
  tx: Tx,
  tenant: TenantId,
  ids: readonly string[],
  reason: string,
  now: Date,
): Promise<void> {
  await tx.execute(sql`update service_calls set closed_at = ${now}, closed_reason = ${reason}
    where tenant_id = ${tenant} and id = any (${ids}::text[]) and closed_at is null`)
}

/** Null: a message with its key is there already. The call must be locked. */
export async function insertMessage(
  tx: Tx,
  tenant: TenantId,
  call: ServiceCallRow,
  message: ServiceMessage,
  now: Date,
): Promise<number | null> {
  const seq = call.lastSeq + 1
  const count = await tx.execute(sql`
    insert into service_messages (tenant_id, call_id, seq, key, kind, body, at)
    values (${tenant}, ${call.id}, ${seq}, ${message.id ?? null}, ${message.type}, ${json(message)}, ${now})
    on conflict do nothing`)
  if (count === 0) return null
  await tx.execute(sql`update service_calls set last_seq = ${seq} where tenant_id = ${tenant} and id = ${call.id}`)
  return seq
}

export async function messagesAfter(
  tx: ReadTx,
  tenant: TenantId,
  callId: string,
  seq: number,
  most: number,
): Promise<readonly StoredMessage[]> {
  return tx.query<StoredMessage>(sql`
    select seq, body, answer from service_messages
    where tenant_id = ${tenant} and call_id = ${callId} and seq > ${seq} order by seq limit ${most}`)
}

export async function lastEnd(tx: ReadTx, tenant: TenantId, callId: string): Promise<ServiceMessage | null> {
  const [row] = await tx.query<{ body: ServiceMessage }>(sql`
    select body from service_messages
    where tenant_id = ${tenant} and call_id = ${callId} and kind in ('result', 'failure') order by seq desc limit 1`)
  return row?.body ?? null
}

export async function answersOf(
  tx: ReadTx,
  tenant: TenantId,
  callId: string,
): Promise<readonly { readonly key: string; readonly answer: JsonValue }[]> {
  return tx.query(sql`
    select key, answer from service_messages
    where tenant_id = ${tenant} and call_id = ${callId} and kind = 'question' and answer is not null order by seq limit 1000`)
}

export async function keepAnswer(
  tx: Tx,
  tenant: TenantId,
  callId: string,
  seq: number,
  answer: JsonValue,
): Promise<void> {
  await tx.execute(sql`update service_messages set answer = ${json(answer)}
    where tenant_id = ${tenant} and call_id = ${callId} and seq = ${seq}`)
}

/** Forgets calls that ended, or were to end, before `before`, some at a time. */
export async function forgetCalls(tx: Tx, tenant: TenantId, before: Date): Promise<void> {
  const rows = await tx.query<{ id: string }>(sql`
    delete from service_calls where tenant_id = ${tenant} and id in (
      select id from service_calls where tenant_id = ${tenant} and closed_at < ${before} order by closed_at limit 100)
    returning id`)
  if (rows.length === 0) return
  await tx.execute(sql`delete from service_messages
    where tenant_id = ${tenant} and call_id = any (${rows.map(({ id }) => id)}::text[])`)
}

function toRow(row: ServiceCallRow): ServiceCallRow {
  return { ...row, fence: Number(row.fence) }
}
