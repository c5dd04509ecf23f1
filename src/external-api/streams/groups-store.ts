import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { LogPosition } from '../../foundation/runtime/event-log.ts'
import type { CloudEvent } from './cloud-event-contract.ts'
import type { GroupFilter } from './streams-contract.ts'

export interface Group {
  readonly tenant: TenantId
  readonly name: string
  readonly filter: GroupFilter
  /** Everything up to here has been handed to some member. */
  readonly position: LogPosition
  readonly ackMs: number
  readonly maxAttempts: number
  readonly rev: number
  readonly createdAt: Date
}

export interface Lease {
  readonly tick: number
  readonly seq: number
  readonly token: string
  readonly member: string
  readonly attempt: number
  readonly event: CloudEvent
}

const columns: Query = sql`tenant_id, name, filter, epoch, tick, seq, ack_ms, max_attempts, rev, created_at`

/** False where a group has the name. */
export async function insertGroup(tx: Tx, group: Group, now: Date): Promise<boolean> {
  const { epoch, tick, seq } = group.position
  const added = await tx.execute(sql`
    insert into stream_groups (${columns}, updated_at) values (${group.tenant}, ${group.name},
      ${json(group.filter)}::jsonb, ${epoch}, ${tick}, ${seq}, ${group.ackMs}, ${group.maxAttempts}, ${group.rev},
      ${group.createdAt}, ${now})
    on conflict do nothing`)
  return added === 1
}

/** The group, locked: members are served one after the other. */
export async function lockGroup(tx: Tx, tenant: TenantId, name: string): Promise<Group | null> {
  const rows = await tx.query<GroupRow>(sql`
    select ${columns} from stream_groups where tenant_id = ${tenant} and name = ${name} for update`)
  return rows[0] === undefined ? null : toGroup(rows[0])
}

export type GroupFigures = Group & { readonly leased: number; readonly dead: number }

export async function listGroupRows(tx: ReadTx, tenant: TenantId, name: string | null): Promise<GroupFigures[]> {
  const rows = await tx.query<GroupRow & { leased: number; dead: number }>(sql`
    select ${columns},
      (select count(*)::int from stream_leases l
        where l.tenant_id = g.tenant_id and l.group_name = g.name and l.state = 'leased') as leased,
      (select count(*)::int from stream_leases l
        where l.tenant_id = g.tenant_id and l.group_name = g.name and l.state = 'dead') as dead
    from stream_groups g where tenant_id = ${tenant} and (${name}::text is null or name = ${name}) order by name`)
  return rows.map((row) => ({ ...toGroup(row), leased: row.leased, dead: row.dead }))
}

export async function moveGroup(
  tx: Tx,
  tenant: TenantId,
  name: string,
  position: LogPosition,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update stream_groups set epoch = ${position.epoch}, tick = ${position.tick}, seq = ${position.seq}, updated_at = ${now}
    where tenant_id = ${tenant} and name = ${name}`)
}

export async function deleteGroup(tx: Tx, tenant: TenantId, name: string): Promise<boolean> {
  await deleteLeases(tx, tenant, name)
  return (await tx.execute(sql`delete from stream_groups where tenant_id = ${tenant} and name = ${name}`)) === 1
}

export async function deleteLeases(tx: Tx, tenant: TenantId, name: string): Promise<void> {
  await tx.execute(sql`delete from stream_leases where tenant_id = ${tenant} and group_name = ${name}`)
}

/** Sets those aside whose last attempt was not acknowledged in time. */
export async function buryLeases(
  tx: Tx,
  tenant: TenantId,
  name: string,
  maxAttempts: number,
  now: Date,
): Promise<number> {
  return tx.execute(sql`
    update stream_leases set state = 'dead'
    where tenant_id = ${tenant} and group_name = ${name} and state = 'leased' and deadline_at <= ${now}
      and attempt >= ${maxAttempts}`)
}

/** Hands overdue events to a member, in the order of the log. `prefix` and the place make each token. */
export async function renewLeases(
  tx: Tx,
  tenant: TenantId,
  name: string,
  to: { readonly member: string; readonly prefix: string; readonly deadline: Date; readonly limit: number },
  now: Date,
): Promise<readonly Lease[]> {
  const rows = await tx.query<LeaseRow>(sql`
    with overdue as materialized (
      select tick, seq from stream_leases
      where tenant_id = ${tenant} and group_name = ${name} and state = 'leased' and deadline_at <= ${now}
      order by tick, seq limit ${to.limit}),
    renewed as (
      update stream_leases l set token = ${to.prefix} || '.' || l.seq, member = ${to.member}, attempt = l.attempt + 1,
        deadline_at = ${to.deadline}
      from overdue o
      where l.tenant_id = ${tenant} and l.group_name = ${name} and l.tick = o.tick and l.seq = o.seq
      returning l.tick, l.seq, l.token, l.member, l.attempt, l.event)
    select * from renewed order by tick, seq`)
  return rows
}

export async function insertLeases(
  tx: Tx,
  tenant: TenantId,
  name: string,
  leases: readonly Lease[],
  deadline: Date,
): Promise<void> {
  if (leases.length === 0) return
  await tx.execute(sql`
    insert into stream_leases (tenant_id, group_name, tick, seq, state, token, member, attempt, deadline_at, event)
    select ${tenant}, ${name}, tick, seq, 'leased', token, member, attempt, ${deadline}, event
    from unnest(${leases.map((l) => l.tick)}::bigint[], ${leases.map((l) => l.seq)}::bigint[],
      ${leases.map((l) => l.token)}::text[], ${leases.map((l) => l.member)}::text[],
      ${leases.map((l) => l.attempt)}::int[], ${leases.map((l) => JSON.stringify(l.event))}::jsonb[])
      as l(tick, seq, token, member, attempt, event)`)
}

/** Events that members hold at present. */
export async function countLeased(tx: ReadTx, tenant: TenantId, name: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>(sql`
    select count(*)::int as count from stream_leases
    where tenant_id = ${tenant} and group_name = ${name} and state = 'leased'`)
  return row!.count
}

export async function ackLeases(tx: Tx, tenant: TenantId, name: string, tokens: readonly string[]): Promise<number> {
  return tx.execute(sql`
    delete from stream_leases
    where tenant_id = ${tenant} and group_name = ${name} and state = 'leased' and token = any (${tokens}::text[])`)
}

export async function returnLeases(
  tx: Tx,
  tenant: TenantId,
  name: string,
  tokens: readonly string[],
  dueAt: Date,
): Promise<number> {
  return tx.execute(sql`
    update stream_leases set deadline_at = ${dueAt}
    where tenant_id = ${tenant} and group_name = ${name} and state = 'leased' and token = any (${tokens}::text[])`)
}

export async function reviveLeases(tx: Tx, tenant: TenantId, name: string, now: Date): Promise<number> {
  return tx.execute(sql`
    update stream_leases set state = 'leased', attempt = 0, deadline_at = ${now}
    where tenant_id = ${tenant} and group_name = ${name} and state = 'dead'`)
}

interface GroupRow {
  tenant_id: TenantId
  name: string
  filter: GroupFilter
  epoch: number
  tick: number
  seq: number
  ack_ms: number
  max_attempts: number
  rev: number
  created_at: Date
}

type LeaseRow = Lease

function toGroup(row: GroupRow): Group {
  return {
    tenant: row.tenant_id,
    name: row.name,
    filter: row.filter,
    position: { epoch: row.epoch, tick: row.tick, seq: row.seq },
    ackMs: row.ack_ms,
    maxAttempts: row.max_attempts,
    rev: row.rev,
    createdAt: row.created_at,
  }
}
