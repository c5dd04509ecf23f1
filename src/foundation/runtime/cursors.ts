import type { ReadTx, Tx } from '../platform/database/database.ts'
import { prepared, sql } from '../platform/database/sql.ts'
import { endOfTick, type LogPosition } from './event-log.ts'
import { runtimeErrors } from './runtime-errors.ts'

/** The opaque text form of a position, as events and clients carry it. */
export function formatCursor(position: LogPosition): string {
  return `${position.epoch}.${position.tick}.${position.seq}`
}

export function parseCursor(text: string): LogPosition {
  const match = /^(\d{1,9})\.(\d{1,15})\.(\d{1,16})$/.exec(text)
  const seq = Number(match?.[3])
  if (!match || !Number.isSafeInteger(seq)) {
    throw runtimeErrors['cursor-invalid'](`${JSON.stringify(text)} is not a cursor`)
  }
  return { epoch: Number(match[1]), tick: Number(match[2]), seq }
}

/** What can be read at this moment: the present epoch, and the first and the last tick that are kept. */
interface LogBounds {
  readonly epoch: number
  readonly first: number
  readonly last: number
}

async function readBounds(tx: ReadTx): Promise<LogBounds> {
  const [row] = await tx.query<LogBounds>(prepared('log-bounds')`
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
  return tailOf(await readBounds(tx))
}

/** Refuses a position that cannot be read any more with `cursor-reset` and the point to resume from. */
export async function checkPosition(tx: ReadTx, position: LogPosition): Promise<void> {
  requireReadable(await readBounds(tx), position)
}

/**
 * The place of a durable reader in the present epoch. Its row lies in the database whose log it reads, so both were
 * restored or promoted together: tick and seq keep their meaning, only the epoch is another.
 */
export async function mapStoredPosition(tx: ReadTx, stored: LogPosition): Promise<LogPosition> {
  const bounds = await readBounds(tx)
  const position = { ...stored, epoch: stored.epoch < bounds.epoch ? bounds.epoch : stored.epoch }
  requireReadable(bounds, position)
  return position
}

/**
 * The place of a reader outside, in the present epoch. One of a former epoch keeps its meaning as far as that epoch's ticks
 * came along into this database. Throws `cursor-reset`.
 */
export async function mapClientPosition(tx: ReadTx, position: LogPosition): Promise<LogPosition> {
  const bounds = await readBounds(tx)
  if (position.epoch < bounds.epoch) {
    const [row] = await tx.query<{ last: number | null }>(sql`
      select max(id) as last from ticks where epoch <= ${position.epoch}`)
    if (position.tick <= (row?.last ?? -1)) return requireReadable(bounds, { ...position, epoch: bounds.epoch })
  }
  return requireReadable(bounds, position)
}

/** The batch of a tick is cut by the tick before it, which must be there too unless the whole batch has been read. */
function requireReadable(bounds: LogBounds, position: LogPosition): LogPosition {
  const { epoch, tick, seq } = position
  const inReach = tick > bounds.first || (tick === bounds.first && seq === endOfTick)
  if (epoch === bounds.epoch && inReach && tick <= bounds.last) return position
  throw runtimeErrors['cursor-reset'](`cursor ${formatCursor(position)} can no longer be read`, {
    details: { resume: formatCursor(tailOf(bounds)) },
  })
}

function tailOf(bounds: LogBounds): LogPosition {
  return { epoch: bounds.epoch, tick: bounds.first, seq: endOfTick }
}

/**
 * The stored place of a durable reader, locked until the transaction ends. A new reader's place is the end of the log;
 * it is stored at once, so that of several processes only the first decides. Null where another process holds it.
 */
export async function claimCursor(tx: Tx, name: string, now: Date): Promise<LogPosition | null> {
  const rows = await tx.query<LogPosition>(prepared('claim-cursor')`
    select epoch, tick, seq from cursors where name = ${name} for update skip locked`)
  if (rows[0] !== undefined) return rows[0]
  const head = await headPosition(tx)
  const added = await tx.execute(sql`
    insert into cursors (name, epoch, tick, seq, updated_at)
    values (${name}, ${head.epoch}, ${head.tick}, ${head.seq}, ${now}) on conflict (name) do nothing`)
  return added === 1 ? head : null
}

export async function saveCursor(tx: Tx, name: string, position: LogPosition, now: Date): Promise<void> {
  await tx.execute(prepared('save-cursor')`
    update cursors set epoch = ${position.epoch}, tick = ${position.tick}, seq = ${position.seq}, updated_at = ${now}
    where name = ${name}`)
}
