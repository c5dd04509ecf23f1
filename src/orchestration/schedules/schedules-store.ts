import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { Overlap } from './choose-overlap.ts'
import type { CatchUp } from './plan-slots.ts'

export interface ScheduleRow {
  readonly tenant: TenantId
  readonly name: string
  readonly rev: number
  readonly workflow: string
  readonly inputs: JsonObject
  readonly repoPath: string | null
  readonly priority: number | null
  readonly parallel: number | null
  readonly labels: Readonly<Record<string, string>>
  readonly cron: string
  readonly timeZone: string
  readonly catchUp: CatchUp
  readonly catchUpWindowMs: number
  readonly overlap: Overlap
  readonly jitterMs: number
  readonly state: 'active' | 'paused'
  readonly lastSlotAt: Date
  readonly dueAt: Date | null
  readonly createdAt: Date
}

const columns: Query = sql`tenant_id as tenant, name, rev, workflow, inputs, repo_path as "repoPath", priority, parallel,
  labels, cron, time_zone as "timeZone", catch_up as "catchUp", catch_up_window_ms as "catchUpWindowMs", overlap,
  jitter_ms as "jitterMs", state, last_slot_at as "lastSlotAt", due_at as "dueAt", created_at as "createdAt"`

/** False: the name is taken. */
export async function insertSchedule(tx: Tx, row: ScheduleRow): Promise<boolean> {
  const inserted = await tx.execute(sql`
    insert into schedules (tenant_id, name, workflow, inputs, repo_path, priority, parallel, labels, cron, time_zone, catch_up,
      catch_up_window_ms, overlap, jitter_ms, last_slot_at, due_at, created_at)
    values (${row.tenant}, ${row.name}, ${row.workflow}, ${json(row.inputs)}, ${row.repoPath}, ${row.priority}, ${row.parallel},
      ${json(row.labels)}, ${row.cron}, ${row.timeZone}, ${row.catchUp}, ${row.catchUpWindowMs}, ${row.overlap}, ${row.jitterMs},
      ${row.lastSlotAt}, ${row.dueAt}, ${row.createdAt})
    on conflict do nothing`)
  return inserted === 1
}

export async function readSchedules(tx: ReadTx, tenant: TenantId): Promise<readonly ScheduleRow[]> {
  return tx.query(sql`select ${columns} from schedules where tenant_id = ${tenant} order by name limit 10000`)
}

export async function findSchedule(tx: ReadTx, tenant: TenantId, name: string): Promise<ScheduleRow | null> {
  const rows = await tx.query<ScheduleRow>(sql`
    select ${columns} from schedules where tenant_id = ${tenant} and name = ${name}`)
  return rows[0] ?? null
}

export async function lockSchedule(tx: Tx, tenant: TenantId, name: string): Promise<ScheduleRow | null> {
  const rows = await tx.query<ScheduleRow>(sql`
    select ${columns} from schedules where tenant_id = ${tenant} and name = ${name} for update`)
  return rows[0] ?? null
}

/** Locks a schedule that still has something to do; null when another process was faster or is at it. */
export async function claimDue(tx: Tx, tenant: TenantId, name: string, now: Date): Promise<ScheduleRow | null> {
  const rows = await tx.query<ScheduleRow>(sql`
    select ${columns} from schedules
    where tenant_id = ${tenant} and name = ${name} and state = 'active' and due_at <= ${now}
    for update skip locked`)
  return rows[0] ?? null
}

/** Schedules of all tenants that have something to do, the longest overdue first. */
export async function listDue(tx: ReadTx, now: Date, limit: number): Promise<readonly ScheduleRow[]> {
  return tx.query(sql`
    select ${columns} from schedules where state = 'active' and due_at <= ${now} order by due_at limit ${limit}`)
}

/** Milliseconds until the next schedule falls due; null: none will. */
export async function nextDueIn(tx: ReadTx, now: Date): Promise<number | null> {
  const [row] = await tx.query<{ due: Date | null }>(sql`
    select min(due_at) as due from schedules where state = 'active'`)
  return row?.due ? row.due.getTime() - now.getTime() : null
}

/** Writes what moves. The revision is the caller's: it goes up with every event. */
export async function saveSchedule(
  tx: Tx,
  row: Pick<ScheduleRow, 'tenant' | 'name' | 'rev' | 'state' | 'lastSlotAt' | 'dueAt'>,
): Promise<void> {
  await tx.execute(sql`
    update schedules set state = ${row.state}, last_slot_at = ${row.lastSlotAt}, due_at = ${row.dueAt}, rev = ${row.rev}
    where tenant_id = ${row.tenant} and name = ${row.name}`)
}

/**
 * Lets the schedules of a tenant that were held be looked at: `catchUp` says what becomes of the slots that passed
 * meanwhile. One that has no slot left is found to have none.
 */
export async function releaseSchedules(tx: Tx, tenant: TenantId, now: Date): Promise<void> {
  await tx.execute(sql`
    update schedules set due_at = ${now} where tenant_id = ${tenant} and state = 'active' and due_at is null`)
}

export async function removeSchedule(tx: Tx, tenant: TenantId, name: string): Promise<void> {
  await tx.execute(sql`delete from schedule_slots where tenant_id = ${tenant} and schedule = ${name}`)
  await tx.execute(sql`delete from schedules where tenant_id = ${tenant} and name = ${name}`)
}
