import type { Database, ReadTx, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { endOfTick } from './event-log.ts'
import { createLoop, type Loop } from './loop.ts'

const day = 86_400_000

export interface EventRetention {
  /** How long events are kept, ms; counted in whole days of UTC, at least two. Default 30 days. */
  readonly keepEventsMs?: number
  /** How long a reader without a durable cursor may stay away and still resume, ms. Default 24 hours. */
  readonly keepTicksMs?: number
}

export interface HeldDay {
  readonly day: string
  /** Those that have not passed it, by name, and when they last moved. */
  readonly cursors: readonly { readonly name: string; readonly movedAt: Date }[]
}

export interface PartitionUpkeep {
  /** Days (`2026-01-31`) whose partition was made or dropped. */
  readonly made: readonly string[]
  readonly dropped: readonly string[]
  /** Days that are old enough to go but that some durable cursor has not passed. */
  readonly held: readonly HeldDay[]
  readonly prunedTicks: number
  /** Old events that lay in the default partition and were deleted. */
  readonly prunedEvents: number
}

/** Partitions made ahead of today's. */
const ahead = 4

/**
 * One round: partitions for today (UTC) and the four days to come; old ones dropped and old ticks pruned, as far as every
 * durable cursor has passed them. Each partition is a transaction of its own, so that no lock is held for long; safe to
 * run in several processes at once. Call it before the first event of a process.
 */
export async function keepEventPartitions(
  database: Database,
  retention: EventRetention = {},
): Promise<PartitionUpkeep> {
  const { keepEventsMs = 30 * day, keepTicksMs = day } = retention
  const system = database.asSystem('event-partitions')
  const now = database.clock.now().getTime()
  const made: string[] = []
  const dropped: string[] = []
  const held: HeldDay[] = []

  const present = new Set(await system.read(listDays))
  for (let i = 0; i <= ahead; i++) {
    const wanted = dayOf(now + i * day)
    if (!present.has(wanted) && (await system.write((tx) => makePartition(tx, wanted)))) made.push(wanted)
  }
  const oldest = dayOf(now - Math.max(keepEventsMs, 2 * day))
  for (const old of [...present].filter((name) => name < oldest).sort()) {
    const cursors = await system.read((tx) => cursorsBefore(tx, old))
    if (cursors.length > 0) held.push({ day: old, cursors })
    else if (await system.write((tx) => dropPartition(tx, old))) dropped.push(old)
  }
  const prunedEvents = await system.write((tx) => pruneDefault(tx, new Date(`${oldest}T00:00:00Z`)))
  const prunedTicks = await system.write((tx) => pruneTicks(tx, new Date(now - keepTicksMs)))
  return { made, dropped, held, prunedTicks, prunedEvents }
}

export interface PartitionLoopOptions extends EventRetention {
  /** Default one hour. */
  readonly everyMs?: number
  readonly onRound?: (round: PartitionUpkeep) => void
  readonly onError: (error: unknown) => void
}

/** Keeps the partitions from now on, beginning at once. */
export function startEventPartitions(database: Database, options: PartitionLoopOptions): Loop {
  return createLoop({
    pollMs: options.everyMs ?? 3_600_000,
    onError: options.onError,
    step: async () => {
      const round = await keepEventPartitions(database, options)
      options.onRound?.(round)
    },
  })
}

async function listDays(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.query<{ day: string }>(sql`
    select to_char(to_date(substr(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'event_batches'::regclass and c.relname ~ '^events_[0-9]{8}$'`)
  return rows.map((row) => row.day)
}

async function makePartition(tx: Tx, name: string): Promise<boolean> {
  const [row] = await tx.query<{ made: boolean }>(sql`select make_event_partition(${name}::date) as made`)
  return row!.made
}

async function dropPartition(tx: Tx, name: string): Promise<boolean> {
  const [row] = await tx.query<{ dropped: boolean }>(sql`select drop_event_partition(${name}::date) as dropped`)
  return row!.dropped
}

/** The durable cursors that have not passed every event of a day: some is not visible in the last tick read to its end. */
async function cursorsBefore(tx: ReadTx, name: string): Promise<HeldDay['cursors']> {
  const start = `${name}T00:00:00Z`
  return tx.query<{ name: string; movedAt: Date }>(sql`
    select c.name, c.updated_at as "movedAt" from cursors c
    left join ticks t on t.id = case when c.seq = ${endOfTick} then c.tick else c.tick - 1 end
    where t.id is null or exists (
      select 1 from event_batches e
      where e.at >= ${start}::timestamptz and e.at < ${start}::timestamptz + interval '1 day'
        and e.xid >= pg_snapshot_xmin(t.snapshot) and not pg_visible_in_snapshot(e.xid, t.snapshot))
    order by c.name`)
}

/** Removes old events that found no partition of their own, in bounded batches: the next round goes on. */
async function pruneDefault(tx: Tx, before: Date): Promise<number> {
  return tx.execute(sql`
    delete from events_default where ctid = any (array(
      select e.ctid from events_default e
      join ticks t on t.id = (select least(max(id), (select min(tick) - 1 from cursors)) from ticks)
      where e.at < ${before} and pg_visible_in_snapshot(e.xid, t.snapshot)
      limit 10000))`)
}

/** Ticks go from the oldest on, without a gap; the one before the place of any durable cursor stays, and so does the last. */
async function pruneTicks(tx: Tx, before: Date): Promise<number> {
  return tx.execute(sql`
    delete from ticks where id < (
      select least(
        (select min(tick) - 1 from cursors),
        (select min(id) from ticks where at >= ${before}),
        (select max(id) from ticks)))`)
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
