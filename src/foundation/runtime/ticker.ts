import type { Database, Tx } from '../platform/database/database.ts'
import { prepared } from '../platform/database/sql.ts'
import { createLoop, type Loop } from './loop.ts'

/** Any number: the same in every process, unlike that of any other lock. */
const tickLock = 7_041_776

export const tickChannel = 'lv_ticks'

/**
 * Cuts the log into batches: inserts a snapshot if an event became visible since the last one. Returns the new tick's
 * number, or null when nothing changed or another process is ticking.
 */
export async function insertTick(tx: Tx, now: Date): Promise<number | null> {
  const [lock] = await tx.query<{ got: boolean }>(
    prepared('lock-ticks')`select pg_try_advisory_xact_lock(${tickLock}) as got`,
  )
  if (!lock?.got) return null
  // A statement of its own: its snapshot must be younger than the lock. The newest event is looked up at the end of the
  // index; for `exists (... xid >= ...)` the planner expects so many that it may read the whole log in vain.
  const rows = await tx.query<{ id: number }>(prepared('insert-tick')`
    with last as (select id, snapshot from ticks order by id desc limit 1)
    insert into ticks (id, epoch, snapshot, at)
    select last.id + 1, (select max(epoch) from log_epochs), pg_current_snapshot(), ${now}
    from last
    where (select e.xid from event_batches e order by e.xid desc limit 1) >= pg_snapshot_xmax(last.snapshot)
      or exists (select 1 from pg_snapshot_xip(last.snapshot) as held(xid) join event_batches e on e.xid = held.xid)
    returning id`)
  return rows[0]?.id ?? null
}

export interface TickerOptions {
  /** Shortest time between two ticks, ms. */
  readonly minIntervalMs?: number
  /** How often to look when nobody poked, ms. */
  readonly pollMs?: number
  readonly onTick?: (tick: number) => void
  readonly onError: (error: unknown) => void
}

/**
 * Ticks soon after `poke()` and, for events of other processes, at every poll. Any number of processes may run one. A tick,
 * whoever made it, is a beat of the pulse here.
 */
export function startTicker(database: Database, options: TickerOptions): Loop {
  const system = database.asSystem('ticks')
  const unlisten = database.listen(tickChannel, () => database.pulse.beat())
  const loop = createLoop({
    minIntervalMs: options.minIntervalMs ?? 20,
    pollMs: options.pollMs ?? 250,
    idle: { pulse: database.pulse, pollMs: 10_000 },
    onError: options.onError,
    step: async () => {
      const tick = await system.write((tx) => insertTick(tx, database.clock.now()))
      if (tick === null) return
      options.onTick?.(tick)
      database.notify(tickChannel)
    },
  })
  return {
    poke: loop.poke,
    stop() {
      unlisten()
      return loop.stop()
    },
  }
}
