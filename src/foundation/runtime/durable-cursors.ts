import { isAppError } from '../kernel/errors.ts'
import type { ReadTx, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { mapStoredPosition } from './cursors.ts'
import { type LogPosition, readEvents } from './event-log.ts'

/** A durable reader of the log: what it has not read is kept for it. */
export interface DurableCursor {
  readonly name: string
  readonly position: LogPosition
  readonly movedAt: Date
  /** When the oldest event was made that it has not read; null where it has read all. */
  readonly unreadSince: Date | null
  /** The log no longer goes back to its place. */
  readonly lost: boolean
}

interface CursorRow extends LogPosition {
  readonly name: string
  readonly movedAt: Date
}

/** All of them, by name. */
export async function listDurableCursors(tx: ReadTx): Promise<readonly DurableCursor[]> {
  const rows = await tx.query<CursorRow>(sql`
    select name, epoch, tick, seq, updated_at as "movedAt" from cursors order by name`)
  const found: DurableCursor[] = []
  for (const row of rows) found.push(await describe(tx, row))
  return found
}

/** Locked, so that its reader cannot move it meanwhile; null where there is none. */
export async function lockDurableCursor(tx: Tx, name: string): Promise<DurableCursor | null> {
  const [row] = await tx.query<CursorRow>(sql`
    select name, epoch, tick, seq, updated_at as "movedAt" from cursors where name = ${name} for update`)
  return row === undefined ? null : describe(tx, row)
}

/** A reader that comes back under the name begins at the end of the log, as a new one. */
export async function deleteDurableCursor(tx: Tx, name: string): Promise<void> {
  await tx.execute(sql`delete from cursors where name = ${name}`)
}

async function describe(tx: ReadTx, { name, movedAt, epoch, tick, seq }: CursorRow): Promise<DurableCursor> {
  const cursor = { name, movedAt, position: { epoch, tick, seq } }
  try {
    const [next] = await readEvents(tx, await mapStoredPosition(tx, cursor.position), 1)
    return { ...cursor, unreadSince: next?.at ?? null, lost: false }
  } catch (error) {
    if (!isAppError(error) || error.code !== 'cursor-reset') throw error
    return { ...cursor, unreadSince: null, lost: true }
  }
}
