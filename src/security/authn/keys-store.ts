import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { Role } from '../authz/roles-contract.ts'
import type { KeyKind } from './key-format.ts'
import type { KeyView } from './keys-contract.ts'

export interface KeyRow {
  readonly tenant: TenantId
  readonly id: string
  readonly prefix: string
  readonly hash: Buffer
  readonly kind: KeyKind
  readonly name: string
  readonly role: Role
  readonly scopes: string[] | null
  readonly platform: boolean
  readonly memberId: string | null
  readonly networks: string[] | null
  readonly rotatedFrom: string | null
  readonly rev: number
  readonly createdBy: string
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
}

const columns = sql`tenant_id as tenant, id, prefix, hash, kind, name, role, scopes, platform, member_id as "memberId", networks,
  rotated_from as "rotatedFrom", rev, created_by as "createdBy", created_at as "createdAt", expires_at as "expiresAt",
  revoked_at as "revokedAt", last_used_at as "lastUsedAt"`

/** Returns false where a key of this id is there already. */
export async function insertKey(tx: Tx, key: KeyRow): Promise<boolean> {
  const count = await tx.execute(sql`
    insert into access_keys (tenant_id, id, prefix, hash, kind, name, role, scopes, platform, member_id, networks,
      rotated_from, created_by, created_at, expires_at)
    values (${key.tenant}, ${key.id}, ${key.prefix}, ${key.hash}, ${key.kind}, ${key.name}, ${key.role}, ${key.scopes},
      ${key.platform}, ${key.memberId}, ${key.networks}, ${key.rotatedFrom}, ${key.createdBy}, ${key.createdAt},
      ${key.expiresAt})
    on conflict (tenant_id, id) do nothing`)
  return count === 1
}

/** In system scope: a key comes before its tenant is known. */
export async function findByPrefix(tx: ReadTx, prefix: string): Promise<KeyRow | null> {
  const [row] = await tx.query<KeyRow>(sql`select ${columns} from access_keys where prefix = ${prefix}`)
  return row ?? null
}

export async function findKey(tx: ReadTx, tenant: TenantId, id: string): Promise<KeyRow | null> {
  const [row] = await tx.query<KeyRow>(sql`
    select ${columns} from access_keys where tenant_id = ${tenant} and id = ${id}`)
  return row ?? null
}

export async function lockKey(tx: Tx, tenant: TenantId, id: string): Promise<KeyRow | null> {
  const [row] = await tx.query<KeyRow>(sql`
    select ${columns} from access_keys where tenant_id = ${tenant} and id = ${id} for update`)
  return row ?? null
}

export interface KeyFilter {
  readonly state: KeyView['state'] | undefined
  readonly before: PagePlace | null
  readonly limit: number
  readonly now: Date
}

export async function listKeyRows(tx: ReadTx, tenant: TenantId, filter: KeyFilter): Promise<readonly KeyRow[]> {
  const { before } = filter
  return tx.query<KeyRow>(sql`
    select ${columns} from access_keys
    where tenant_id = ${tenant} and kind = 'key'
      and (${filter.state ?? null}::text is null or ${filter.state ?? null} = case
        when revoked_at is not null then 'revoked' when expires_at <= ${filter.now} then 'expired' else 'active' end)
      and (${before?.at ?? null}::timestamptz is null
        or (date_trunc('milliseconds', created_at), id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}::text))
    order by date_trunc('milliseconds', created_at) desc, id desc limit ${filter.limit}`)
}

export async function endKey(
  tx: Tx,
  tenant: TenantId,
  id: string,
  ends: { readonly expiresAt?: Date; readonly revokedAt?: Date },
): Promise<void> {
  await tx.execute(sql`
    update access_keys set rev = rev + 1, expires_at = least(expires_at, ${ends.expiresAt ?? null}::timestamptz),
      revoked_at = coalesce(revoked_at, ${ends.revokedAt ?? null}::timestamptz)
    where tenant_id = ${tenant} and id = ${id}`)
}

/** Ends the keys of a member who left. Returns their ids. */
export async function revokeKeysOfMember(tx: Tx, tenant: TenantId, memberId: string, now: Date): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(sql`
    update access_keys set rev = rev + 1, revoked_at = ${now}
    where tenant_id = ${tenant} and member_id = ${memberId} and revoked_at is null returning id`)
  return rows.map(({ id }) => id)
}

/** Records uses, in system scope; to within a minute, because each is a row version. */
export async function touchKeys(
  tx: Tx,
  uses: readonly { readonly tenant: TenantId; readonly id: string; readonly at: Date }[],
): Promise<void> {
  if (uses.length === 0) return
  const sorted = uses.toSorted((a, b) => (`${a.tenant}/${a.id}` < `${b.tenant}/${b.id}` ? -1 : 1))
  await tx.execute(sql`
    update access_keys k set last_used_at = u.at
    from unnest(${sorted.map((use) => use.tenant)}::text[], ${sorted.map((use) => use.id)}::text[],
      ${sorted.map((use) => use.at)}::timestamptz[]) as u(tenant_id, id, at)
    where k.tenant_id = u.tenant_id and k.id = u.id
      and (k.last_used_at is null or k.last_used_at < u.at - interval '1 minute')`)
}

export async function anyKey(tx: ReadTx): Promise<boolean> {
  const [row] = await tx.query<{ found: boolean }>(sql`
    select exists (select from access_keys where kind = 'key') as found`)
  return row!.found
}

/** Runner tokens live for minutes: a day after their end nobody asks for them. Returns how many went. */
export async function dropOldRunnerTokens(tx: Tx, before: Date): Promise<number> {
  return tx.execute(sql`
    delete from access_keys where (tenant_id, id) in (
      select tenant_id, id from access_keys where kind = 'runner' and expires_at < ${before} limit 5000)`)
}
