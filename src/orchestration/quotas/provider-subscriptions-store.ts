import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { SubscriptionWish } from './provider-subscriptions-contract.ts'
import type { SubscriptionState, SubscriptionTerms } from './subscription-share.ts'

export interface SubscriptionRow extends SubscriptionTerms, SubscriptionState {
  readonly tenant: TenantId
  readonly name: string
  readonly pools: readonly string[]
  readonly rev: number
}

const columns = sql`s.tenant_id as tenant, s.name, s.pools, s.time_window as "timeWindow", s.tokens, s.requests,
  s.window_start as "windowStart", s.window_end as "windowEnd", s.used_tokens as "usedTokens", s.used_requests as "usedRequests",
  s.used_ppm as "usedPpm", s.told_ppm as "toldPpm", s.rev`

export function readSubscriptions(tx: ReadTx, tenant: TenantId): Promise<readonly SubscriptionRow[]> {
  return tx.query<SubscriptionRow>(sql`
    select ${columns} from provider_subscriptions s where s.tenant_id = ${tenant} order by s.name limit 1000`)
}

/** The pools that work on a subscription, as `tenant/pool`. */
export async function subscribedPools(tx: ReadTx): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ key: string }>(sql`
    select distinct s.tenant_id || '/' || u.pool as key from provider_subscriptions s cross join lateral unnest(s.pools) as u(pool)`)
  return new Set(rows.map((row) => row.key))
}

/** The subscriptions of these pools, or with these names, locked. */
export function lockSubscriptions(
  tx: Tx,
  tenants: readonly TenantId[],
  pools: readonly string[],
  names: readonly string[],
): Promise<readonly SubscriptionRow[]> {
  return tx.query<SubscriptionRow>(sql`
    select ${columns} from provider_subscriptions s
    where s.tenant_id = any (${tenants}::text[]) and (s.pools && ${pools}::text[] or s.name = any (${names}::text[]))
    order by s.tenant_id, s.name for update of s`)
}

export async function writeStates(tx: Tx, rows: readonly SubscriptionRow[], now: Date): Promise<void> {
  for (const row of rows) {
    await tx.execute(sql`
      update provider_subscriptions set window_start = ${row.windowStart}, window_end = ${row.windowEnd}, used_tokens = ${row.usedTokens},
        used_requests = ${row.usedRequests}, used_ppm = ${row.usedPpm}, told_ppm = ${row.toldPpm}, updated_at = ${now}
      where tenant_id = ${row.tenant} and name = ${row.name}`)
  }
}

/** What was used of the present window stays, also where it is measured otherwise from now on. Returns its revision. */
export async function putSubscription(
  tx: Tx,
  tenant: TenantId,
  name: string,
  { pools, window, tokens, requests }: SubscriptionWish,
  now: Date,
): Promise<number> {
  const [row] = await tx.query<{ rev: number }>(sql`
    insert into provider_subscriptions as s (tenant_id, name, pools, time_window, tokens, requests, updated_at)
    values (${tenant}, ${name}, ${pools}, ${window}, ${tokens}, ${requests}, ${now})
    on conflict (tenant_id, name) do update set pools = excluded.pools, time_window = excluded.time_window,
      tokens = excluded.tokens, requests = excluded.requests, rev = s.rev + 1, updated_at = excluded.updated_at
    returning rev`)
  return row!.rev
}

/** Returns its last revision; null: there was none. */
export async function deleteSubscription(tx: Tx, tenant: TenantId, name: string): Promise<number | null> {
  const [row] = await tx.query<{ rev: number }>(sql`
    delete from provider_subscriptions where tenant_id = ${tenant} and name = ${name} returning rev`)
  return row?.rev ?? null
}
