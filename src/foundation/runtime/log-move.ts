import type { ReadTx, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'

/**
 * The numbers of transactions mean nothing in another database: the batch of every tick would hold other events there. So
 * each event gets a number that stands for the tick that shows it, and each tick a snapshot that ends behind it. Tick and
 * seq, which cursors consist of, stay what they are.
 */
export interface TickPlaces {
  /** Number of ticks, and so of transaction numbers that the log needs. */
  readonly count: number
  /** The number for what transaction `xid` of the source wrote. */
  placeOf(xid: string): string
  /** The snapshot for the tick. */
  snapshotOf(tick: number): string
}

/** The first transaction number that is not special. */
const firstXid = 3

export async function readTickPlaces(tx: ReadTx): Promise<TickPlaces> {
  const ends: bigint[] = []
  const held = new Map<number, ReadonlySet<string>>()
  let first = 0
  for (let after = -1; ; ) {
    const rows = await tx.query<{ id: number; end: string; held: string[] }>(sql`
      select id, pg_snapshot_xmax(snapshot)::text as end, array(select pg_snapshot_xip(snapshot)::text) as held
      from ticks where id > ${after} order by id limit 20000`)
    if (rows.length === 0) break
    if (ends.length === 0) first = rows[0]!.id
    for (const row of rows) {
      if (row.held.length > 0) held.set(ends.length, new Set(row.held))
      ends.push(BigInt(row.end))
    }
    after = rows.at(-1)!.id
  }
  return {
    count: ends.length,
    placeOf(xid) {
      const wanted = BigInt(xid)
      let low = 0
      let high = ends.length
      while (low < high) {
        const middle = (low + high) >>> 1
        if (ends[middle]! > wanted) high = middle
        else low = middle + 1
      }
      while (low < ends.length && held.get(low)?.has(xid)) low += 1
      if (low === ends.length) throw new Error(`the events of transaction ${xid} are in no tick`)
      return String(firstXid + low)
    },
    snapshotOf(tick) {
      const end = firstXid + tick - first + 1
      return `${end}:${end}:`
    },
  }
}

/** How many transaction numbers output of one run needs at most: its followers only compare them with each other. */
export async function countBelow(tx: ReadTx): Promise<number> {
  const [row] = await tx.query<{ next: string }>(sql`select pg_snapshot_xmax(pg_current_snapshot())::text as next`)
  return Number(row!.next)
}

const burnAtOnce = 20_000

/**
 * Uses up transaction numbers until at least `wanted` are taken, so that moved events lie before all that come: an empty
 * database has taken about a thousand. Each turn is a transaction of its own.
 */
export async function burnTransactions(write: <T>(fn: (tx: Tx) => Promise<T>) => Promise<T>, wanted: number) {
  for (;;) {
    const missing = await write(async (tx) => {
      const missing = wanted + firstXid + 1 - (await countBelow(tx))
      if (missing <= 0) return 0
      await tx.query(sql`create temporary table burnt (n int) on commit drop`)
      // A part of a transaction that is rolled back keeps its number, and leaves nothing else.
      const text = `do $$ begin
        for n in 1..${Math.min(missing, burnAtOnce)} loop
          begin
            insert into burnt values (n);
            raise exception 'burnt';
          exception when raise_exception then null;
          end;
        end loop;
      end $$`
      await tx.execute({ text, values: [] })
      return missing
    })
    if (missing <= 0) return
  }
}

/** Days (UTC) that have a partition of the log. */
export async function loggedDays(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.query<{ day: string }>(sql`
    select to_char(to_date(substr(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'event_batches'::regclass and c.relname ~ '^events_[0-9]{8}$' order by 1`)
  return rows.map((row) => row.day)
}

/** Events that are moved to days without a partition would keep them from ever getting one. */
export async function makeLoggedDays(tx: Tx, days: readonly string[]): Promise<void> {
  for (const day of days) await tx.query(sql`select make_event_partition(${day}::date)`)
}

/** A history of its own: cursors of the former one are mapped or refused, never misread. Returns the new epoch. */
export async function beginEpoch(tx: Tx, reason: string, now: Date): Promise<number> {
  const [row] = await tx.query<{ epoch: number }>(sql`
    insert into log_epochs (epoch, started_at, reason) select max(epoch) + 1, ${now}, ${reason} from log_epochs returning epoch`)
  return row!.epoch
}
