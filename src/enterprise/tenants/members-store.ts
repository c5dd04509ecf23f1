import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { Role } from '../../security/authz/roles-contract.ts'
import type { MemberView } from './members-contract.ts'

export interface MemberRow extends Omit<MemberView, 'createdAt'> {
  readonly createdAt: Date
}

const columns = sql`id, name, email, role, rev, created_at as "createdAt"`

export function toMemberView(row: MemberRow): MemberView {
  return { ...row, createdAt: row.createdAt.toISOString() }
}

/** Returns false where the e-mail address is taken. */
export async function insertMember(tx: Tx, tenant: TenantId, member: MemberRow): Promise<boolean> {
  const { id, name, email, role, createdAt } = member
  const count = await tx.execute(sql`
    insert into members (tenant_id, id, name, email, role, created_at)
    values (${tenant}, ${id}, ${name}, ${email}, ${role}, ${createdAt})
    on conflict do nothing`)
  return count === 1
}

export async function findMember(tx: ReadTx, tenant: TenantId, id: string): Promise<MemberRow | null> {
  const [row] = await tx.query<MemberRow>(sql`
    select ${columns} from members where tenant_id = ${tenant} and id = ${id}`)
  return row ?? null
}

/** Locks the member and all owners, in the order of ids, so that two who leave at once cannot both be last but one. */
export async function lockMember(
  tx: Tx,
  tenant: TenantId,
  id: string,
): Promise<{ readonly member: MemberRow | null; readonly owners: number }> {
  const rows = await tx.query<MemberRow>(sql`
    select ${columns} from members where tenant_id = ${tenant} and (id = ${id} or role = 'owner') order by id for update`)
  return {
    member: rows.find((row) => row.id === id) ?? null,
    owners: rows.filter((row) => row.role === 'owner').length,
  }
}

export async function listMemberRows(
  tx: ReadTx,
  tenant: TenantId,
  filter: { readonly role: Role | undefined; readonly before: PagePlace | null; readonly limit: number },
): Promise<readonly MemberRow[]> {
  const { role, before, limit } = filter
  return tx.query<MemberRow>(sql`
    select ${columns} from members
    where tenant_id = ${tenant} and (${role ?? null}::text is null or role = ${role ?? null})
      and (${before?.at ?? null}::timestamptz is null
        or (date_trunc('milliseconds', created_at), id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}::text))
    order by date_trunc('milliseconds', created_at) desc, id desc limit ${limit}`)
}

export async function updateMember(tx: Tx, tenant: TenantId, { id, name, role }: MemberRow): Promise<void> {
  await tx.execute(sql`
    update members set name = ${name}, role = ${role}, rev = rev + 1 where tenant_id = ${tenant} and id = ${id}`)
}

export async function deleteMember(tx: Tx, tenant: TenantId, id: string): Promise<void> {
  await tx.execute(sql`delete from members where tenant_id = ${tenant} and id = ${id}`)
}
