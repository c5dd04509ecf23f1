import type { ReadTx, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { endOfTick, type LogPosition } from './event-log.ts'
import { runtimeErrors } from './runtime-errors.ts'

/** The opaque text form of a position, as events and clients carry it. */
export function formatCursor(position: LogPosition): string {
  return `${position.epoch}.${position.tick}.${position.seq}`
}

export function parseCursor(text: string): LogPosition {
  const match = /^(\d{1,9})\.(\d{1,15})\.(\d{1,16})$/.exec(text)
  if (!match) throw runtimeErrors['cursor-invalid'](`${JSON.stringify(text)} is not a cursor`)
  return { epoch: Number(match[1]), tick: Number(match[2]), seq: Number(match[3]) }
}

interface HeadRow {
  epoch: number
  first: number
  last: number
}

async function readBounds(tx: ReadTx): Promise<HeadRow> {
  const [row] = await tx.query<HeadRow>(sql`
    select (select max(epoch) from log_epochs) as epoch, min(id) as first, max(id) as last from ticks`)
  return row!
}

/** The end of the log: a reader that starts here sees only what is ticked after. */
export async function headPosition(tx: ReadTx): Promise<LogPosition> {
  const bounds = await readBounds(tx)
  return { epoch: bounds.epoch, tick: bounds.last, seq: endOfTick }
}

/** The oldest position that can still be read. */
export async function tailPosition(tx: ReadTx): Promise<LogPosition> {
  const bounds = await readBounds(tx)
  return { epoch: bounds.epoch, tick: bounds.first, seq: endOfTick }
}

/** Refuses a position that cannot be read any more with `cursor-reset` and the point to resume from. */
export async function checkPosition(tx: ReadTx, position: LogPosition): Promise<void> {
  const bounds = await readBounds(tx)
  const readable =
    position.epoch === bounds.epoch &&
    (position.tick > bounds.first || (position.tick === bounds.first && position.seq === endOfTick)) &&
    position.tick <= bounds.last
  if (readable) return
  const resume = formatCursor({ epoch: bounds.epoch, tick: bounds.first, seq: endOfTick })
  throw runtimeErrors['cursor-reset'](`cursor ${formatCursor(position)} can no longer be read`, { details: { resume } })
}

/** The stored place of a durable reader, locked until the transaction ends; null where it never read. */
export async function lockCursor(tx: Tx, name: string): Promise<LogPosition | null> {
  const rows = await tx.query<LogPosition>(sql`
    select epoch, tick, seq from cursors where name = ${name} for update`)
  return rows[0] ?? null
}

export async function saveCursor(tx: Tx, name: string, position: LogPosition, now: Date): Promise<void> {
  await tx.execute(sql`
    insert into cursors (name, epoch, tick, seq, updated_at)
    values (${name}, ${position.epoch}, ${position.tick}, ${position.seq}, ${now})
    on conflict (name) do update set epoch = excluded.epoch, tick = excluded.tick, seq = excluded.seq,
      updated_at = excluded.updated_at`)
}
