import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { RunState } from '../runs/states-contract.ts'
import type { SlotView } from './schedules-contract.ts'

export interface SlotRow {
  readonly slotAt: Date
  readonly state: SlotView['state']
  readonly reason: string | null
  readonly runId: RunId | null
  readonly runState: RunState | null
  readonly decidedAt: Date
  readonly endedAt: Date | null
}

const columns: Query = sql`slot_at as "slotAt", state, reason, run_id as "runId", run_state as "runState",
  decided_at as "decidedAt", ended_at as "endedAt"`

interface ScheduleKey {
  readonly tenant: TenantId
  readonly name: string
}

/** Takes a slot for this transaction. False: it is decided already, here or elsewhere. */
export async function takeSlot(
  tx: Tx,
  { tenant, name }: ScheduleKey,
  slotAt: Date,
  state: SlotRow['state'],
  reason: string | null,
  now: Date,
): Promise<boolean> {
  const taken = await tx.execute(sql`
    insert into schedule_slots (tenant_id, schedule, slot_at, state, reason, decided_at)
    values (${tenant}, ${name}, ${slotAt}, ${state}, ${reason}, ${now}) on conflict do nothing`)
  return taken === 1
}

export async function takeSlots(
  tx: Tx,
  { tenant, name }: ScheduleKey,
  slots: readonly Date[],
  state: SlotRow['state'],
  reason: string,
  now: Date,
): Promise<void> {
  if (slots.length === 0) return
  await tx.execute(sql`
    insert into schedule_slots (tenant_id, schedule, slot_at, state, reason, decided_at)
    select ${tenant}, ${name}, at, ${state}, ${reason}, ${now} from unnest(${slots}::timestamptz[]) as s(at)
    on conflict do nothing`)
}

export async function setSlot(
  tx: Tx,
  { tenant, name }: ScheduleKey,
  slotAt: Date,
  change: Pick<SlotRow, 'state' | 'reason' | 'runId' | 'runState' | 'endedAt'>,
): Promise<void> {
  await tx.execute(sql`
    update schedule_slots set state = ${change.state}, reason = ${change.reason}, run_id = ${change.runId},
      run_state = ${change.runState}, ended_at = ${change.endedAt}
    where tenant_id = ${tenant} and schedule = ${name} and slot_at = ${slotAt}`)
}

/** Slots whose run is open, and those that wait for their turn, oldest first. */
export async function openSlots(tx: ReadTx, { tenant, name }: ScheduleKey): Promise<readonly SlotRow[]> {
  return tx.query(sql`
    select ${columns} from schedule_slots
    where tenant_id = ${tenant} and schedule = ${name} and state in ('started', 'queued') order by slot_at`)
}

/** Runs that were started and not seen to end, of all tenants. */
export async function openRunsOfSlots(
  tx: ReadTx,
  limit: number,
): Promise<readonly (ScheduleKey & { readonly slotAt: Date; readonly runId: RunId })[]> {
  return tx.query(sql`
    select tenant_id as tenant, schedule as name, slot_at as "slotAt", run_id as "runId" from schedule_slots
    where state = 'started' order by tenant_id, schedule, slot_at limit ${limit}`)
}

export async function newestSlots(
  tx: ReadTx,
  { tenant, name }: ScheduleKey,
  limit: number,
): Promise<readonly SlotRow[]> {
  return tx.query(sql`
    select ${columns} from schedule_slots where tenant_id = ${tenant} and schedule = ${name}
    order by slot_at desc limit ${limit}`)
}

/** The newest slot of each schedule of a tenant. */
export async function lastSlots(tx: ReadTx, tenant: TenantId): Promise<ReadonlyMap<string, SlotRow>> {
  const rows = await tx.query<SlotRow & { name: string }>(sql`
    select s.name, l.* from schedules s cross join lateral (
      select ${columns} from schedule_slots x where x.tenant_id = s.tenant_id and x.schedule = s.name
      order by x.slot_at desc limit 1) l
    where s.tenant_id = ${tenant}`)
  return new Map(rows.map(({ name, ...row }) => [name, row]))
}

/** Forgets slots that were decided before `before`, but for those that are open. */
export async function pruneSlots(tx: Tx, before: Date, limit: number): Promise<number> {
  return tx.execute(sql`
    delete from schedule_slots where (tenant_id, schedule, slot_at) in (
      select tenant_id, schedule, slot_at from schedule_slots
      where decided_at < ${before} and state not in ('started', 'queued') limit ${limit})`)
}
