import type { TenantId } from '../kernel/ids.ts'
import type { JsonValue } from '../kernel/json.ts'
import type { ReadTx, Tx } from '../platform/database/database.ts'
import { json, prepared, sql } from '../platform/database/sql.ts'

/** What changed. Appended in the transaction of the change, after the subject's row lock, one event per changed subject. */
export interface NewEvent {
  readonly tenant: TenantId
  /** `<kind>.<what happened>`, for example `task.succeeded`. */
  readonly type: string
  readonly subject: { readonly kind: string; readonly id: string; readonly rev: number }
  readonly runId: string | null
  readonly at: Date
  readonly data?: JsonValue
}

/** An event as read back. `(tick, seq)` orders it; `epoch` says which history the numbers belong to. */
export interface LoggedEvent extends NewEvent {
  readonly tick: number
  readonly seq: number
}

/** Events that follow each other and are alike go into one row, which is what makes many of them cheap. */
export async function appendEvents(tx: Tx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return
  const batches = numberBatches(events)
  tx.post(prepared('append-events')`
    insert into event_batches (tenant_id, type, subject_kind, run_id, at, subject_ids, subject_revs, data)
    select tenant_id, type, kind, run_id, at, array_agg(id order by n), array_agg(rev order by n), array_agg(data order by n)
    from unnest(${batches}::int[], ${events.map((e) => e.tenant)}::text[], ${events.map((e) => e.type)}::text[],
      ${events.map((e) => e.subject.kind)}::text[], ${events.map((e) => e.subject.id)}::text[],
      ${events.map((e) => e.subject.rev)}::int[], ${events.map((e) => e.runId)}::text[],
      ${events.map((e) => e.at)}::timestamptz[],
      ${events.map((e) => (e.data === undefined ? null : json(e.data)))}::text[])
      with ordinality as e(batch, tenant_id, type, kind, id, rev, run_id, at, data, n)
    group by batch, tenant_id, type, kind, run_id, at
    order by batch`)
}

/** What the table admits in a row. */
const batchSize = 1_000

/** For each event the number of its row. */
function numberBatches(events: readonly NewEvent[]): readonly number[] {
  let batch = 0
  let first = 0
  return events.map((event, n) => {
    const before = events[n - 1]
    if (before !== undefined && (n - first >= batchSize || !areAlike(before, event))) {
      batch += 1
      first = n
    }
    return batch
  })
}

function areAlike(a: NewEvent, b: NewEvent): boolean {
  return (
    a.tenant === b.tenant &&
    a.type === b.type &&
    a.subject.kind === b.subject.kind &&
    a.runId === b.runId &&
    a.at.getTime() === b.at.getTime()
  )
}

/** A place in the log: everything up to tick `tick`, and within that tick's batch up to `seq`, has been read. */
export interface LogPosition {
  readonly epoch: number
  readonly tick: number
  readonly seq: number
}

/** Beyond so many ticks from its place one read of the log does not look. */
const ticksOfRead = 200

/** After the whole batch of `tick`. */
export const endOfTick = Number.MAX_SAFE_INTEGER

/**
 * Events after `from`, at most `limit`, in the order (tick, seq).
 *
 * The batch of a tick holds what is visible in its snapshot and was not in the one before: transactions that began
 * after the former snapshot, and those it saw in progress. Nothing is skipped however long a transaction stays open,
 * and a subject's events keep their order, because its row lock orders their commits.
 *
 * NOTE: the transactions in progress are joined as rows. As `xid = any (array(select pg_snapshot_xip(...)))` PostgreSQL 18
 * computes the array for the first tick of the span only, which skips and doubles events.
 */
export async function readEvents(tx: ReadTx, from: LogPosition, limit: number): Promise<LoggedEvent[]> {
  const rows = await tx.query<EventRow>(prepared('read-events')`
    with span as (
      select t.id as tick, t.snapshot as cur, p.snapshot as prev,
        case when t.id = ${from.tick} then ${from.seq}::bigint else 0 end as after
      from ticks t join ticks p on p.id = t.id - 1
      where t.id >= ${from.tick}
      order by t.id limit ${ticksOfRead})
    select span.tick, b.seq + e.n - 1 as seq, b.tenant_id, b.type, b.subject_kind, e.subject_id, e.subject_rev, b.run_id,
      b.at, e.data::jsonb as data
    from span cross join lateral (
      select * from event_batches b
      where b.xid >= pg_snapshot_xmax(span.prev) and b.xid < pg_snapshot_xmax(span.cur)
        and pg_visible_in_snapshot(b.xid, span.cur)
      union all
      select b.* from pg_snapshot_xip(span.prev) as held(xid) join event_batches b on b.xid = held.xid
      where pg_visible_in_snapshot(b.xid, span.cur)
    ) b
    cross join lateral unnest(b.subject_ids, b.subject_revs, b.data) with ordinality as e(subject_id, subject_rev, data, n)
    where b.seq + e.n - 1 > span.after
    order by span.tick, seq limit ${limit}`)
  return rows.map(fromRow)
}

/** Whether `events`, read from `from` with `limit`, may be less than there was: by their number, or by the ticks they span. */
export function mayHaveMore(from: LogPosition, events: readonly LoggedEvent[], limit: number): boolean {
  const last = events.at(-1)
  return last !== undefined && (events.length >= limit || last.tick - from.tick >= ticksOfRead - 1)
}

/**
 * What is recorded of one run, in the order of recording, after the event numbered `after`. For people who look back:
 * an event that is still being committed may turn up later with a lower number. `tick` is 0.
 */
export async function readEventsOfRun(
  tx: ReadTx,
  where: {
    readonly tenant: TenantId
    readonly runId: string
    readonly since: Date
    readonly after: number
    readonly limit: number
  },
): Promise<LoggedEvent[]> {
  const rows = await tx.query<EventRow>(sql`
    select 0 as tick, seq, tenant_id, type, subject_kind, subject_id, subject_rev, run_id, at, data from events
    where tenant_id = ${where.tenant} and run_id = ${where.runId} and seq > ${where.after} and at >= ${where.since}
    order by seq limit ${where.limit}`)
  return rows.map(fromRow)
}

/** The number of the last event that this transaction has appended; 0 where it has appended none. */
export async function lastOwnEvent(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ seq: number | null }>(sql`
    select max(seq) as seq from events where xid = pg_current_xact_id()`)
  return row?.seq ?? 0
}

interface EventRow {
  tick: number
  seq: number
  tenant_id: TenantId
  type: string
  subject_kind: string
  subject_id: string
  subject_rev: number
  run_id: string | null
  at: Date
  data: JsonValue
}

function fromRow(row: EventRow): LoggedEvent {
  return {
    tick: row.tick,
    seq: row.seq,
    tenant: row.tenant_id,
    type: row.type,
    subject: { kind: row.subject_kind, id: row.subject_id, rev: row.subject_rev },
    runId: row.run_id,
    at: row.at,
    data: row.data,
  }
}
