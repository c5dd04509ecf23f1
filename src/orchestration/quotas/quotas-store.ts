import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, prepared, sql } from '../../foundation/platform/database/sql.ts'
import type { LimiterState, QuotaSettings } from './limiter.ts'
import type { OtherSlice } from './share-out.ts'

export interface AccountRow {
  readonly provider: string
  readonly settings: QuotaSettings
  /** Null: nobody has used it yet. */
  readonly state: LimiterState | null
  readonly rev: number
}

/** The account, locked: one process at a time takes its slice. */
export async function lockAccount(tx: Tx, tenant: TenantId, account: string): Promise<AccountRow | null> {
  const [row] = await tx.query<AccountRow>(prepared('lock-quota-account')`
    select provider, settings, nullif(state, '{}') as state, rev from quota_accounts
    where tenant_id = ${tenant} and id = ${account} for update`)
  return row ?? null
}

/** What the other living processes have and want. Slices of the dead are dropped. */
export async function readSlices(
  tx: Tx,
  tenant: TenantId,
  account: string,
  except: string,
  now: Date,
): Promise<readonly OtherSlice[]> {
  const rows = await tx.query<{ slice: OtherSlice }>(prepared('read-quota-slices')`
    with gone as (
      delete from quota_slices where tenant_id = ${tenant} and account_id = ${account} and lease_until <= ${now})
    select slice from quota_slices
    where tenant_id = ${tenant} and account_id = ${account} and holder <> ${except} and lease_until > ${now}`)
  return rows.map((row) => row.slice)
}

export async function writeSlice(
  tx: Tx,
  ref: { readonly tenant: TenantId; readonly account: string; readonly holder: string },
  state: LimiterState,
  /** Null: it wants nothing more and has nothing. */
  slice: OtherSlice | null,
  now: Date,
  leaseUntil: Date,
): Promise<void> {
  const { tenant, account, holder } = ref
  tx.post(prepared('save-quota-state')`
    update quota_accounts set state = ${json(state)}, updated_at = ${now} where tenant_id = ${tenant} and id = ${account}`)
  if (slice === null) {
    await tx.execute(sql`
      delete from quota_slices where tenant_id = ${tenant} and account_id = ${account} and holder = ${holder}`)
  } else {
    await tx.execute(prepared('save-quota-slice')`
      insert into quota_slices (tenant_id, account_id, holder, slice, lease_until)
      values (${tenant}, ${account}, ${holder}, ${json(slice)}, ${leaseUntil})
      on conflict (tenant_id, account_id, holder) do update set slice = excluded.slice, lease_until = excluded.lease_until`)
  }
}

export interface ListedAccount extends AccountRow {
  readonly id: string
  readonly updatedAt: Date
  readonly processes: number
  readonly inFlight: number
  readonly waiting: number
}

export async function listAccounts(tx: ReadTx, tenant: TenantId, now: Date): Promise<readonly ListedAccount[]> {
  return tx.query<ListedAccount>(sql`
    select a.id, a.provider, a.settings, nullif(a.state, '{}') as state, a.rev, a.updated_at as "updatedAt",
      count(s.holder)::int as processes, coalesce(sum((s.slice->>'inFlight')::int), 0)::int as "inFlight",
      coalesce(sum((s.slice->>'waiting')::int), 0)::int as waiting
    from quota_accounts a left join quota_slices s
      on s.tenant_id = a.tenant_id and s.account_id = a.id and s.lease_until > ${now}
    where a.tenant_id = ${tenant} group by a.tenant_id, a.id order by a.id limit 1000`)
}

/**
 * Adds the accounts that are not there. Of those that are, provider and limits change only where something is said that is
 * not so yet: what was learned, and what was set by hand, stays.
 */
export async function ensureAccounts(
  tx: Tx,
  tenant: TenantId,
  accounts: readonly { readonly id: string; readonly provider: string; readonly settings: QuotaSettings }[],
  now: Date,
): Promise<void> {
  const sorted = accounts.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  await tx.execute(sql`
    insert into quota_accounts (tenant_id, id, provider, settings, updated_at)
    select ${tenant}, i.id, i.provider, i.settings, ${now}
    from unnest(${sorted.map((a) => a.id)}::text[], ${sorted.map((a) => a.provider)}::text[],
      ${sorted.map((a) => json(a.settings))}::jsonb[]) as i(id, provider, settings)
    on conflict (tenant_id, id) do update set provider = excluded.provider,
      settings = quota_accounts.settings || jsonb_strip_nulls(excluded.settings), state = '{}', rev = quota_accounts.rev + 1,
      updated_at = excluded.updated_at
    where quota_accounts.provider <> excluded.provider
      or quota_accounts.settings <> quota_accounts.settings || jsonb_strip_nulls(excluded.settings)`)
}

/** Sets provider and limits. What was learned is forgotten, because it was learned under other limits. Returns its revision. */
export async function putAccount(
  tx: Tx,
  tenant: TenantId,
  account: { readonly id: string; readonly provider: string; readonly settings: QuotaSettings },
  now: Date,
): Promise<number> {
  const [row] = await tx.query<{ rev: number }>(sql`
    insert into quota_accounts (tenant_id, id, provider, settings, updated_at)
    values (${tenant}, ${account.id}, ${account.provider}, ${json(account.settings)}, ${now})
    on conflict (tenant_id, id) do update set provider = excluded.provider, settings = excluded.settings, state = '{}',
      rev = quota_accounts.rev + 1, updated_at = excluded.updated_at
    returning rev`)
  return row!.rev
}
