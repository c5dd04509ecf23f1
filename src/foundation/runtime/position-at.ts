import type { ReadTx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { tailPosition } from './cursors.ts'
import { endOfTick, type LogPosition } from './event-log.ts'

/** The place in the log after which everything was committed since `at`, and perhaps a little before; the tail where that is gone. */
export async function positionAt(tx: ReadTx, at: Date): Promise<LogPosition> {
  const tail = await tailPosition(tx)
  const [row] = await tx.query<{ tick: number | null }>(sql`select max(id) as tick from ticks where at < ${at}`)
  const tick = row?.tick ?? null
  return tick === null || tick <= tail.tick ? tail : { epoch: tail.epoch, tick, seq: endOfTick }
}
