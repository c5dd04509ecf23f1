import type { TenantId } from '../kernel/ids.ts'
import type { ReadTx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'

/** Events of all kinds and tenants that are looked at, at most. */
const mostEvents = 50_000

export interface RecentCount {
  readonly type: string
  /** Events since each of the given times. */
  readonly counts: readonly number[]
}

export interface RecentEvents {
  readonly types: readonly RecentCount[]
  /** Where the limit was met: only events since then were counted. Null: all were. */
  readonly coveredSince: Date | null
}

/**
 * How many events of some types a tenant had since each of `since` (the oldest last). Reads the newest part of the log
 * only, found by the tick of that time, and of that no more than 50,000 events.
 */
export async function countRecentEvents(
  tx: ReadTx,
  tenant: TenantId,
  types: readonly string[],
  since: readonly Date[],
): Promise<RecentEvents> {
  const oldest = since.at(-1)!
  const rows = await tx.query<{ type: string | null; counts: number[]; scanned: number; first: Date | null }>(sql`
    with start as materialized (
      select coalesce(
        (select pg_snapshot_xmax(snapshot) from ticks where at <= ${oldest} order by id desc limit 1),
        '3'::xid8) as xid),
    newest as materialized (
      select type, tenant_id, at from events
      where xid >= (select xid from start) and at > ${oldest} order by xid desc limit ${mostEvents}),
    span as (select count(*)::int as scanned, min(at) as first from newest)
    select n.type, array(
        select count(*) filter (where m.at > s.since)::int
        from unnest(${since}::timestamptz[]) with ordinality as s(since, nth)
        left join newest m on m.tenant_id = ${tenant} and m.type = n.type
        group by s.nth order by s.nth) as counts, span.scanned, span.first
    from span left join (
      select distinct type from newest where tenant_id = ${tenant} and type = any (${types}::text[])) n on true`)
  const { scanned, first } = rows[0]!
  return {
    types: rows.flatMap((row) => (row.type === null ? [] : [{ type: row.type, counts: row.counts }])),
    coveredSince: scanned === mostEvents ? first : null,
  }
}

/** When the oldest committed event was made that no tick has shown to readers yet; null when they see all. */
export async function oldestUnseen(tx: ReadTx): Promise<Date | null> {
  const [row] = await tx.query<{ at: Date | null }>(sql`
    with last as materialized (select snapshot from ticks order by id desc limit 1)
    select min(at) as at from (
      (select e.at from event_batches e where e.xid >= (select pg_snapshot_xmax(snapshot) from last) order by e.xid limit 1000)
      union all
      (select e.at from last cross join lateral pg_snapshot_xip(last.snapshot) as held(xid) join event_batches e on e.xid = held.xid
        limit 1000)) unseen`)
  return row!.at
}

/** Bytes of the whole database on its disk. */
export async function databaseBytes(tx: ReadTx): Promise<number> {
  const [row] = await tx.query<{ bytes: number }>(sql`select pg_database_size(current_database()) as bytes`)
  return row!.bytes
}
