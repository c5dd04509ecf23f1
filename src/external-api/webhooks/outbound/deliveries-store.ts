import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { DeliveryState } from '../subscriptions-contract.ts'
import type { Sent } from './send.ts'

export interface NewDelivery {
  readonly tenant: TenantId
  readonly id: string
  readonly subscriptionId: string
  readonly type: string
  /** Deliveries with the same key are sent one after the other; null: in any order. */
  readonly orderKey: string | null
  readonly body: string
}

export interface Delivery extends NewDelivery {
  readonly position: number
  readonly state: DeliveryState
  readonly attempt: number
  /** Attempts before this series of tries. */
  readonly attemptsBefore: number
  readonly dueAt: Date
  readonly giveUpAt: Date
  readonly lastStatus: number | null
  readonly lastError: string | null
  readonly createdAt: Date
  readonly endedAt: Date | null
}

const columns: Query = sql`tenant_id as tenant, id, subscription_id as "subscriptionId", position, type,
  order_key as "orderKey", state, attempt, attempts_before as "attemptsBefore", due_at as "dueAt",
  give_up_at as "giveUpAt", body, last_status as "lastStatus", last_error as "lastError", created_at as "createdAt",
  ended_at as "endedAt"`

export async function insertDeliveries(
  tx: Tx,
  deliveries: readonly NewDelivery[],
  now: Date,
  giveUpAt: Date,
): Promise<void> {
  if (deliveries.length === 0) return
  await tx.execute(sql`
    insert into webhook_deliveries (tenant_id, id, subscription_id, type, order_key, body, due_at, give_up_at, created_at)
    select tenant_id, id, subscription_id, type, order_key, body, ${now}, ${giveUpAt}, ${now}
    from unnest(${deliveries.map((d) => d.tenant)}::text[], ${deliveries.map((d) => d.id)}::text[],
      ${deliveries.map((d) => d.subscriptionId)}::text[], ${deliveries.map((d) => d.type)}::text[],
      ${deliveries.map((d) => d.orderKey)}::text[], ${deliveries.map((d) => d.body)}::text[])
      with ordinality as g(tenant_id, id, subscription_id, type, order_key, body, n)
    order by n`)
}

export interface Claim {
  readonly now: Date
  /** Until then whoever claims must have told what came of it; after that somebody else sends it. */
  readonly leaseUntil: Date
  readonly limit: number
  /** At a time, for one subscription. */
  readonly perSubscription: number
  /** How many are under way here, by subscription id. */
  readonly busy: ReadonlyMap<string, number>
}

/** `lost`: whoever sent it before never told what came of it. */
export type Claimed = Delivery & { readonly lost: boolean }

/**
 * Takes due deliveries of active subscriptions: a few of each, so that one that hangs holds up no other, and of those
 * with the same order key only the oldest that is open.
 */
export async function claimDeliveries(tx: Tx, claim: Claim): Promise<readonly Claimed[]> {
  const { now, leaseUntil, limit, perSubscription, busy } = claim
  return tx.query<Claimed>(sql`
    with due as materialized (
      select d.tenant_id, d.id, d.state
      from webhook_subscriptions s
      left join unnest(${[...busy.keys()]}::text[], ${[...busy.values()]}::int[]) as b(id, count) on b.id = s.id
      cross join lateral (
        select d.tenant_id, d.id, d.state, d.due_at from webhook_deliveries d
        where d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.state in ('pending', 'sending', 'retrying')
          and d.due_at <= ${now}
          and (d.order_key is null or not exists (
            select from webhook_deliveries e
            where e.tenant_id = d.tenant_id and e.subscription_id = d.subscription_id and e.order_key = d.order_key
              and e.position < d.position and e.state in ('pending', 'sending', 'retrying')))
        order by d.due_at limit greatest(0, ${perSubscription}::int - coalesce(b.count, 0))
        for update of d skip locked) d
      where s.state = 'active' and not exists (
        select from webhook_settings g where g.tenant_id = s.tenant_id and g.stopped_at is not null)
      order by d.due_at limit ${limit}),
    claimed as (
      update webhook_deliveries d set state = 'sending', attempt = d.attempt + 1, due_at = ${leaseUntil}
      from due where d.tenant_id = due.tenant_id and d.id = due.id
      returning d.*, due.state = 'sending' as lost)
    select ${columns}, lost from claimed order by position`)
}

/** Takes a claim back, as if it had never been: the delivery is looked at again at `dueAt`. */
export async function unclaim(tx: Tx, { tenant, id, attempt }: Delivery, dueAt: Date): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries set attempt = attempt - 1, due_at = ${dueAt},
      state = case when attempt - 1 > attempts_before then 'retrying' else 'pending' end
    where tenant_id = ${tenant} and id = ${id} and state = 'sending' and attempt = ${attempt}`)
}

export interface DeliveryEnd {
  readonly tenant: TenantId
  readonly id: string
  /** The attempt that ends: another one's result changes nothing. */
  readonly attempt: number
  readonly state: DeliveryState
  readonly dueAt: Date
  readonly sent: Sent
}

/** False where the delivery is no longer this attempt's. */
export async function endAttempt(tx: Tx, end: DeliveryEnd, now: Date): Promise<boolean> {
  const { tenant, id, attempt, state, dueAt, sent } = end
  const changed = await tx.execute(sql`
    update webhook_deliveries set state = ${state}, due_at = ${dueAt}, last_status = ${sent.status},
      last_error = ${sent.error}, ended_at = case when ${state} = 'retrying' then null else ${now}::timestamptz end
    where tenant_id = ${tenant} and id = ${id} and state = 'sending' and attempt = ${attempt}`)
  return changed === 1
}

/** What waits behind a delivery need not be looked at before `until`; afterwards, or when it has ended, at once. */
export async function postponeFollowers(tx: Tx, delivery: Delivery, until: Date, now: Date): Promise<void> {
  if (delivery.orderKey === null) return
  await tx.execute(sql`
    update webhook_deliveries set due_at = ${until}
    where tenant_id = ${delivery.tenant} and subscription_id = ${delivery.subscriptionId}
      and order_key = ${delivery.orderKey} and position > ${delivery.position} and state = 'pending'
      and due_at <> ${until} and (due_at > ${now} or ${until}::timestamptz > ${now}::timestamptz)`)
}

export interface AttemptRow {
  readonly attempt: number
  readonly at: Date
  readonly sent: Pick<Sent, 'status' | 'error' | 'address' | 'excerpt' | 'durationMs'>
}

export async function insertAttempt(
  tx: Tx,
  delivery: Pick<Delivery, 'tenant' | 'id'>,
  { attempt, at, sent }: AttemptRow,
): Promise<void> {
  await tx.execute(sql`
    insert into webhook_attempts (tenant_id, delivery_id, attempt, at, duration_ms, status, error, address, excerpt)
    values (${delivery.tenant}, ${delivery.id}, ${attempt}, ${at}, ${sent.durationMs}, ${sent.status}, ${sent.error},
      ${sent.address}, ${sent.excerpt})
    on conflict do nothing`)
}

export async function findDelivery(tx: ReadTx, tenant: TenantId, id: string): Promise<Delivery | null> {
  const rows = await tx.query<Delivery>(sql`
    select ${columns} from webhook_deliveries where tenant_id = ${tenant} and id = ${id}`)
  return rows[0] ?? null
}

/** As `findDelivery`, locked. */
export async function lockDelivery(tx: Tx, tenant: TenantId, id: string): Promise<Delivery | null> {
  const rows = await tx.query<Delivery>(sql`
    select ${columns} from webhook_deliveries where tenant_id = ${tenant} and id = ${id} for update`)
  return rows[0] ?? null
}

export async function listAttempts(tx: ReadTx, tenant: TenantId, id: string): Promise<readonly AttemptRow[]> {
  const rows = await tx.query<Omit<AttemptRow, 'sent'> & AttemptRow['sent']>(sql`
    select attempt, at, duration_ms as "durationMs", status, error, address, excerpt from webhook_attempts
    where tenant_id = ${tenant} and delivery_id = ${id} order by attempt`)
  return rows.map(({ attempt, at, ...sent }) => ({ attempt, at, sent }))
}

/** Newest first, those before the position `before`. */
export async function listDeliveryRows(
  tx: ReadTx,
  tenant: TenantId,
  where: {
    readonly subscription?: string | undefined
    readonly state?: DeliveryState | undefined
    readonly before: number | null
    readonly limit: number
  },
): Promise<readonly Delivery[]> {
  return tx.query<Delivery>(sql`
    select ${columns} from webhook_deliveries
    where tenant_id = ${tenant} and (${where.subscription ?? null}::text is null or subscription_id = ${where.subscription ?? null})
      and (${where.state ?? null}::text is null or state = ${where.state ?? null})
      and (${where.before}::bigint is null or position < ${where.before})
    order by position desc limit ${where.limit}`)
}

/** Puts a delivery back to the beginning of a new series of tries. */
export async function reopenDelivery(tx: Tx, tenant: TenantId, id: string, now: Date, giveUpAt: Date): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries set state = 'pending', due_at = ${now}, give_up_at = ${giveUpAt},
      attempts_before = attempt, ended_at = null
    where tenant_id = ${tenant} and id = ${id}`)
}

/** As `reopenDelivery`, for all that ended in one of `states` and were made in the half-open time. Returns how many. */
export async function reopenRange(
  tx: Tx,
  tenant: TenantId,
  range: {
    readonly subscription: string
    readonly from: Date
    readonly until: Date
    readonly states: readonly DeliveryState[]
  },
  now: Date,
  giveUpAt: Date,
): Promise<number> {
  return tx.execute(sql`
    update webhook_deliveries set state = 'pending', due_at = ${now}, give_up_at = ${giveUpAt},
      attempts_before = attempt, ended_at = null
    where tenant_id = ${tenant} and subscription_id = ${range.subscription} and state = any (${range.states}::text[])
      and created_at >= ${range.from} and created_at < ${range.until}`)
}

export async function setDeliveryState(
  tx: Tx,
  tenant: TenantId,
  id: string,
  state: DeliveryState,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries set state = ${state}, ended_at = ${now} where tenant_id = ${tenant} and id = ${id}`)
}

/** Gives up all that is open for a subscription. */
export async function cancelOpen(tx: Tx, tenant: TenantId, subscriptionId: string, now: Date): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries set state = 'cancelled', ended_at = ${now}
    where tenant_id = ${tenant} and subscription_id = ${subscriptionId} and state in ('pending', 'sending', 'retrying')`)
}

/** Lets what was held while a subscription was off have its full time from now. */
export async function renewOpen(
  tx: Tx,
  tenant: TenantId,
  subscriptionId: string,
  now: Date,
  giveUpAt: Date,
): Promise<void> {
  await tx.execute(sql`
    update webhook_deliveries set give_up_at = ${giveUpAt}, due_at = ${now}
    where tenant_id = ${tenant} and subscription_id = ${subscriptionId} and state in ('pending', 'retrying')`)
}

/** Removes what ended before `before` with its attempts, at most 5,000 deliveries. Open ones stay. */
export async function pruneDeliveries(tx: Tx, before: Date): Promise<number> {
  const [row] = await tx.query<{ count: number }>(sql`
    with old as materialized (
      select tenant_id, id from webhook_deliveries where ended_at < ${before} limit 5000),
    attempts as (
      delete from webhook_attempts a using old where a.tenant_id = old.tenant_id and a.delivery_id = old.id),
    gone as (
      delete from webhook_deliveries d using old where d.tenant_id = old.tenant_id and d.id = old.id returning 1)
    select count(*)::int as count from gone`)
  return row!.count
}
