import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { Subscription } from './subscription.ts'

const columns: Query = sql`tenant_id as tenant, id, name, url, types, filter, ordering, format, signatures,
  key_id as "keyId", secret_version as "secretVersion", previous_until as "previousUntil", state, reason,
  failing_since as "failingSince", failures, rev, created_at as "createdAt", updated_at as "updatedAt"`

export async function listSubscriptionRows(tx: ReadTx, tenant: TenantId): Promise<readonly Subscription[]> {
  return tx.query(sql`select ${columns} from webhook_subscriptions where tenant_id = ${tenant} order by name`)
}

/** Those of some tenants that events are kept for. */
export async function listOpenSubscriptions(tx: ReadTx, tenants: readonly string[]): Promise<readonly Subscription[]> {
  return tx.query(sql`
    select ${columns} from webhook_subscriptions
    where tenant_id = any (${tenants}::text[]) and state in ('active', 'paused') order by tenant_id, id`)
}

/** By id or by name. */
export async function findSubscription(tx: ReadTx, tenant: TenantId, which: string): Promise<Subscription | null> {
  const rows = await tx.query<Subscription>(sql`
    select ${columns} from webhook_subscriptions where tenant_id = ${tenant} and (id = ${which} or name = ${which})
    order by id = ${which} desc limit 1`)
  return rows[0] ?? null
}

/** False where another one has the name. */
export async function insertSubscription(tx: Tx, s: Subscription): Promise<boolean> {
  const added = await tx.execute(sql`
    insert into webhook_subscriptions (tenant_id, id, name, url, types, filter, ordering, format, signatures, key_id,
      secret_version, previous_until, state, reason, failing_since, failures, rev, created_at, updated_at)
    values (${s.tenant}, ${s.id}, ${s.name}, ${s.url}, ${s.types}::text[],
      ${s.filter}, ${s.ordering}, ${s.format}, ${s.signatures}::text[], ${s.keyId}, ${s.secretVersion},
      ${s.previousUntil}, ${s.state}, ${s.reason}, ${s.failingSince}, ${s.failures}, ${s.rev}, ${s.createdAt},
      ${s.updatedAt})
    on conflict do nothing`)
  return added === 1
}

/** Replaces the row that has the revision before `s.rev`; false where it has another by now. */
export async function updateSubscription(tx: Tx, s: Subscription): Promise<boolean> {
  const changed = await tx.execute(sql`
    update webhook_subscriptions set name = ${s.name}, url = ${s.url}, types = ${s.types}::text[], filter = ${s.filter},
      ordering = ${s.ordering}, format = ${s.format}, signatures = ${s.signatures}::text[], key_id = ${s.keyId},
      secret_version = ${s.secretVersion}, previous_until = ${s.previousUntil}, state = ${s.state},
      reason = ${s.reason}, failing_since = ${s.failingSince}, failures = ${s.failures}, rev = ${s.rev},
      updated_at = ${s.updatedAt}
    where tenant_id = ${s.tenant} and id = ${s.id} and rev = ${s.rev - 1}`)
  return changed === 1
}

/** False where it is no longer as it was read. */
export async function deleteSubscription(tx: Tx, { tenant, id, rev }: Subscription): Promise<boolean> {
  const removed = await tx.execute(sql`
    delete from webhook_subscriptions where tenant_id = ${tenant} and id = ${id} and rev = ${rev}`)
  return removed === 1
}

/** Notes a success: whatever failed before is over. Writes only where something had failed. */
export async function noteSuccess(tx: Tx, tenant: TenantId, id: string): Promise<void> {
  await tx.execute(sql`
    update webhook_subscriptions set failures = 0, failing_since = null
    where tenant_id = ${tenant} and id = ${id} and failing_since is not null`)
}

export async function noteFailure(tx: Tx, tenant: TenantId, id: string, now: Date): Promise<void> {
  await tx.execute(sql`
    update webhook_subscriptions set failures = failures + 1, failing_since = coalesce(failing_since, ${now})
    where tenant_id = ${tenant} and id = ${id}`)
}

/**
 * Switches an active subscription off; with `failingSince` only if nothing has succeeded since then. Returns its new
 * revision, or null where it was left as it is.
 */
export async function disableSubscription(
  tx: Tx,
  tenant: TenantId,
  id: string,
  reason: string,
  failingSince: Date | null,
  now: Date,
): Promise<{ readonly name: string; readonly rev: number } | null> {
  const rows = await tx.query<{ name: string; rev: number }>(sql`
    update webhook_subscriptions set state = 'disabled', reason = ${reason}, rev = rev + 1, updated_at = ${now}
    where tenant_id = ${tenant} and id = ${id} and state = 'active'
      and (${failingSince}::timestamptz is null or failing_since <= ${failingSince})
    returning name, rev`)
  return rows[0] ?? null
}
