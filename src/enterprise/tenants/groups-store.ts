import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { MemberGroupView } from './groups-contract.ts'

export interface GroupRow extends Omit<MemberGroupView, 'createdAt' | 'members'> {
  readonly createdAt: Date
}

/** Returns false where the name is taken. */
export async function insertGroup(tx: Tx, tenant: TenantId, { id, name, createdAt }: GroupRow): Promise<boolean> {
  const count = await tx.execute(sql`
    insert into member_groups (tenant_id, id, name, created_at) values (${tenant}, ${id}, ${name}, ${createdAt})
    on conflict do nothing`)
  return count === 1
}

export async function lockGroup(tx: Tx, tenant: TenantId, name: string): Promise<GroupRow | null> {
  const [row] = await tx.query<GroupRow>(sql`
    select id, name, rev, created_at as "createdAt" from member_groups
    where tenant_id = ${tenant} and name = ${name} for update`)
  return row ?? null
}

export async function nextRevision(tx: Tx, tenant: TenantId, id: string): Promise<void> {
  await tx.execute(sql`update member_groups set rev = rev + 1 where tenant_id = ${tenant} and id = ${id}`)
}

export async function deleteGroupRows(tx: Tx, tenant: TenantId, id: string): Promise<void> {
  await tx.execute(sql`delete from group_members where tenant_id = ${tenant} and group_id = ${id}`)
  await tx.execute(sql`delete from member_groups where tenant_id = ${tenant} and id = ${id}`)
}

/** Returns false where the member is in it. */
export async function insertGroupMember(
  tx: Tx,
  tenant: TenantId,
  group: string,
  member: string,
  now: Date,
): Promise<boolean> {
  const count = await tx.execute(sql`
    insert into group_members (tenant_id, group_id, member_id, added_at) values (${tenant}, ${group}, ${member}, ${now})
    on conflict do nothing`)
  return count === 1
}

/** Returns false where the member is not in it. */
export async function deleteGroupMember(tx: Tx, tenant: TenantId, group: string, member: string): Promise<boolean> {
  const count = await tx.execute(sql`
    delete from group_members where tenant_id = ${tenant} and group_id = ${group} and member_id = ${member}`)
  return count === 1
}

/** The groups that a member is in, locked in the order of their ids. */
export async function lockGroupsOf(tx: Tx, tenant: TenantId, member: string): Promise<readonly GroupRow[]> {
  return tx.query<GroupRow>(sql`
    select id, name, rev, created_at as "createdAt" from member_groups
    where tenant_id = ${tenant}
      and id in (select group_id from group_members where tenant_id = ${tenant} and member_id = ${member})
    order by id for update`)
}

/** Names of the groups that a member is in. */
export async function groupsOfMember(tx: ReadTx, tenant: TenantId, member: string): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(sql`
    select g.name from group_members m join member_groups g on g.tenant_id = m.tenant_id and g.id = m.group_id
    where m.tenant_id = ${tenant} and m.member_id = ${member} order by g.name`)
  return rows.map(({ name }) => name)
}

/** The id of the member that has this id or e-mail address. */
export async function findMemberId(tx: ReadTx, tenant: TenantId, name: string): Promise<string | null> {
  const [row] = await tx.query<{ id: string }>(sql`
    select id from members where tenant_id = ${tenant} and (id = ${name} or lower(email) = lower(${name}))
    order by (id = ${name}) desc limit 1`)
  return row?.id ?? null
}

const columns: Query = sql`g.id, g.name, g.rev, g.created_at as "createdAt",
  (select coalesce(json_agg(json_build_object('id', m.id, 'name', m.name, 'email', m.email) order by m.id), '[]')
    from group_members i join members m on m.tenant_id = i.tenant_id and m.id = i.member_id
    where i.tenant_id = g.tenant_id and i.group_id = g.id) as members`

export async function findGroup(tx: ReadTx, tenant: TenantId, name: string): Promise<MemberGroupView | null> {
  const [row] = await tx.query<Row>(sql`
    select ${columns} from member_groups g where g.tenant_id = ${tenant} and g.name = ${name}`)
  return row === undefined ? null : toView(row)
}

export interface GroupFilter {
  /** Only those that this member is in. */
  readonly member: string | null
  readonly before: PagePlace | null
  readonly limit: number
}

/** Newest first, before the given place. */
export async function listGroupViews(
  tx: ReadTx,
  tenant: TenantId,
  { member, before, limit }: GroupFilter,
): Promise<readonly MemberGroupView[]> {
  const rows = await tx.query<Row>(sql`
    select ${columns} from member_groups g
    where g.tenant_id = ${tenant} and (${member}::text is null or exists (
        select from group_members i where i.tenant_id = g.tenant_id and i.group_id = g.id and i.member_id = ${member}))
      and (${before?.at ?? null}::timestamptz is null
        or (date_trunc('milliseconds', g.created_at), g.id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}::text))
    order by date_trunc('milliseconds', g.created_at) desc, g.id desc limit ${limit}`)
  return rows.map(toView)
}

interface Row extends GroupRow {
  readonly members: MemberGroupView['members']
}

function toView(row: Row): MemberGroupView {
  return { ...row, createdAt: row.createdAt.toISOString() }
}
