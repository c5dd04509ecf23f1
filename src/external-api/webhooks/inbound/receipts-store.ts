import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../../foundation/platform/http/page.ts'
import type { Outcome, ReceiptState } from '../sources-contract.ts'

export interface NewReceipt {
  readonly tenant: TenantId
  readonly id: string
  readonly sourceId: string
  readonly deliveryId: string
  readonly signed: string | null
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
  readonly receivedAt: Date
}

export interface Receipt extends Omit<NewReceipt, 'signed'> {
  readonly state: ReceiptState
  readonly attempt: number
  readonly outcomes: readonly Outcome[]
  readonly error: { readonly code: string; readonly message: string } | null
  readonly endedAt: Date | null
}

/** `new`: stored. `duplicate`: the delivery was stored before. `replayed`: what was signed was stored under another name. */
export type Stored = 'new' | 'duplicate' | 'replayed'

/**
 * Stores receipts in one statement, rows in the order of their ids; it ends the transaction. Of equal ones the first counts.
 * Returns the places in the list of those that are new.
 */
export async function insertReceipts(tx: Tx, receipts: readonly NewReceipt[]): Promise<ReadonlySet<number>> {
  const added = await tx.last<{ n: number }>(sql`
    with given as materialized (
      select * from unnest(${receipts.map((r) => r.tenant)}::text[], ${receipts.map((r) => r.id)}::text[],
        ${receipts.map((r) => r.sourceId)}::text[], ${receipts.map((r) => r.deliveryId)}::text[],
        ${receipts.map((r) => r.signed)}::text[], ${receipts.map((r) => r.receivedAt)}::timestamptz[],
        ${receipts.map((r) => JSON.stringify(r.headers))}::text[], ${receipts.map((r) => r.body)}::text[])
      with ordinality as g(tenant_id, id, source_id, delivery_id, signature, received_at, headers, body, n)
      order by tenant_id, id, n),
    added as (
      insert into webhook_receipts (tenant_id, id, source_id, delivery_id, signature, due_at, headers, body, received_at)
      select tenant_id, id, source_id, delivery_id, signature, received_at, headers::jsonb, body, received_at
      from given order by tenant_id, id, n
      on conflict do nothing
      returning tenant_id, id)
    select min(g.n)::int as n from given g join added a on a.tenant_id = g.tenant_id and a.id = g.id group by a.tenant_id, a.id`)
  return new Set(added.map((row) => row.n - 1))
}

/** What became of receipts that were handed over, `isNew` of which were stored by it. Those that are there by name are duplicates. */
export async function judgeReceipts(
  tx: ReadTx,
  receipts: readonly NewReceipt[],
  isNew: ReadonlySet<number>,
): Promise<readonly Stored[]> {
  const rest = receipts.filter((_, n) => !isNew.has(n))
  const known = await tx.query<{ tenant_id: string; id: string }>(sql`
    select tenant_id, id from webhook_receipts join unnest(${rest.map((r) => r.tenant)}::text[],
      ${rest.map((r) => r.id)}::text[]) as g(tenant_id, id) using (tenant_id, id)`)
  const names = new Set(known.map((row) => `${row.tenant_id} ${row.id}`))
  return receipts.map((r, n) => (isNew.has(n) ? 'new' : names.has(`${r.tenant} ${r.id}`) ? 'duplicate' : 'replayed'))
}

const columns: Query = sql`tenant_id, id, source_id, delivery_id, state, attempt, headers, body, outcomes, error,
  received_at, ended_at`

/** What waits to be routed, of all tenants, the longest due first. */
export async function listDueReceipts(
  tx: ReadTx,
  now: Date,
  limit: number,
): Promise<readonly { readonly tenant: TenantId; readonly id: string }[]> {
  return tx.query(sql`
    select r.tenant_id as tenant, r.id from webhook_receipts r
    where r.state in ('received', 'retrying') and r.due_at <= ${now}
      and not exists (select from webhook_settings s where s.tenant_id = r.tenant_id and s.stopped_at is not null)
    order by r.due_at limit ${limit}`)
}

export interface DueReceipt extends Pick<Receipt, 'tenant' | 'id' | 'sourceId' | 'deliveryId' | 'state' | 'attempt'> {
  /** What rules look at; null where the source was not among `ruled`. */
  readonly content: Pick<Receipt, 'headers' | 'body' | 'receivedAt'> | null
}

/**
 * Locks those that are still to be routed and that nobody else is routing, in the order of their ids. Only of the sources
 * in `ruled` comes what was received: most of the work would be to carry it here for nobody.
 */
export async function lockDueReceipts(
  tx: Tx,
  tenant: TenantId,
  ids: readonly string[],
  ruled: readonly string[],
  now: Date,
): Promise<readonly DueReceipt[]> {
  const rows = await tx.query<DueRow>(sql`
    select id, source_id, delivery_id, state, attempt,
      case when source_id = any (${ruled}::text[]) then headers end as headers,
      case when source_id = any (${ruled}::text[]) then body end as body,
      case when source_id = any (${ruled}::text[]) then received_at end as received_at
    from webhook_receipts
    where tenant_id = ${tenant} and id = any (${ids}::text[]) and state in ('received', 'retrying') and due_at <= ${now}
    order by id for update skip locked`)
  return rows.map((row) => ({
    tenant,
    id: row.id,
    sourceId: row.source_id,
    deliveryId: row.delivery_id,
    state: row.state,
    attempt: row.attempt,
    content:
      row.headers === null || row.body === null || row.received_at === null
        ? null
        : { headers: row.headers as Readonly<Record<string, string>>, body: row.body, receivedAt: row.received_at },
  }))
}

/** Lays locked receipts aside until their tenant is let in again. */
export async function holdReceipts(tx: Tx, tenant: TenantId, ids: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update webhook_receipts set due_at = 'infinity' where tenant_id = ${tenant} and id = any (${ids}::text[])`)
}

/** Lets what was held be routed. */
export async function releaseReceipts(tx: Tx, tenant: TenantId, now: Date): Promise<void> {
  await tx.execute(sql`
    update webhook_receipts set due_at = ${now}
    where tenant_id = ${tenant} and state in ('received', 'retrying') and due_at = 'infinity'`)
}

export interface ReceiptChange {
  readonly id: string
  readonly state: ReceiptState
  readonly outcomes: readonly Outcome[]
  readonly error: Receipt['error']
  readonly dueAt: Date
}

export async function saveReceipts(
  tx: Tx,
  tenant: TenantId,
  changes: readonly ReceiptChange[],
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update webhook_receipts r set state = c.state, outcomes = c.outcomes, error = c.error, due_at = c.due_at,
      attempt = r.attempt + 1, ended_at = case when c.state in ('received', 'retrying') then null else ${now}::timestamptz end
    from unnest(${changes.map((c) => c.id)}::text[], ${changes.map((c) => c.state)}::text[],
      ${changes.map((c) => JSON.stringify(c.outcomes))}::jsonb[],
      ${changes.map((c) => (c.error === null ? null : JSON.stringify(c.error)))}::jsonb[],
      ${changes.map((c) => c.dueAt)}::timestamptz[]) as c(id, state, outcomes, error, due_at)
    where r.tenant_id = ${tenant} and r.id = c.id`)
}

/** Lets an ended receipt be routed again. */
export async function reopenReceipt(
  tx: Tx,
  tenant: TenantId,
  id: string,
  state: ReceiptState,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update webhook_receipts set state = ${state}, due_at = ${now}, ended_at = null, outcomes = null, error = null,
      attempt = 0 where tenant_id = ${tenant} and id = ${id}`)
}

export async function findReceipt(tx: ReadTx, tenant: TenantId, id: string): Promise<Receipt | null> {
  const rows = await tx.query<ReceiptRow>(sql`
    select ${columns} from webhook_receipts where tenant_id = ${tenant} and id = ${id}`)
  return rows[0] === undefined ? null : toReceipt(rows[0])
}

/** As `findReceipt`, locked. */
export async function lockReceipt(tx: Tx, tenant: TenantId, id: string): Promise<Receipt | null> {
  const rows = await tx.query<ReceiptRow>(sql`
    select ${columns} from webhook_receipts where tenant_id = ${tenant} and id = ${id} for update`)
  return rows[0] === undefined ? null : toReceipt(rows[0])
}

export async function listReceiptRows(
  tx: ReadTx,
  tenant: TenantId,
  where: {
    readonly source?: string | undefined
    readonly state?: ReceiptState | undefined
    readonly before: PagePlace | null
    readonly limit: number
  },
): Promise<readonly (Receipt & { readonly source: string | null })[]> {
  const rows = await tx.query<ReceiptRow & { source: string | null }>(sql`
    select r.*, s.name as source from (
      select ${columns} from webhook_receipts
      where tenant_id = ${tenant} and (${where.state ?? null}::text is null or state = ${where.state ?? null})
        and (${where.source ?? null}::text is null or source_id = ${where.source ?? null})
        and (${where.before?.at ?? null}::timestamptz is null
          or (date_trunc('milliseconds', received_at), id) < (${where.before?.at ?? null}::timestamptz, ${where.before?.id ?? null}))
      order by received_at desc, id desc limit ${where.limit}) r
    left join webhook_sources s on s.tenant_id = r.tenant_id and s.id = r.source_id
    order by r.received_at desc, r.id desc`)
  return rows.map((row) => ({ ...toReceipt(row), source: row.source }))
}

/** Removes what ended before `before`, at most 5,000 rows. Open ones stay, however old. */
export async function pruneReceipts(tx: Tx, before: Date): Promise<number> {
  return tx.execute(sql`
    delete from webhook_receipts r using (
      select tenant_id, id from webhook_receipts where ended_at < ${before} limit 5000) old
    where r.tenant_id = old.tenant_id and r.id = old.id`)
}

interface ReceiptRow {
  tenant_id: TenantId
  id: string
  source_id: string
  delivery_id: string
  state: ReceiptState
  attempt: number
  headers: JsonObject
  body: string
  outcomes: Outcome[] | null
  error: { code: string; message: string } | null
  received_at: Date
  ended_at: Date | null
}

type DueRow = Pick<ReceiptRow, 'id' | 'source_id' | 'delivery_id' | 'state' | 'attempt'> & {
  readonly [field in 'headers' | 'body' | 'received_at']: ReceiptRow[field] | null
}

function toReceipt(row: ReceiptRow): Receipt {
  return {
    tenant: row.tenant_id,
    id: row.id,
    sourceId: row.source_id,
    deliveryId: row.delivery_id,
    headers: row.headers as Readonly<Record<string, string>>,
    body: row.body,
    receivedAt: row.received_at,
    state: row.state,
    attempt: row.attempt,
    outcomes: row.outcomes ?? [],
    error: row.error,
    endedAt: row.ended_at,
  }
}
