import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { headPosition, mapClientPosition, parseCursor, tailPosition } from '../../foundation/runtime/cursors.ts'
import type { LogPosition } from '../../foundation/runtime/event-log.ts'
import { positionAt } from '../../foundation/runtime/position-at.ts'
import { streamErrors } from './streams-errors.ts'

/** Where a stream begins: `now`, `start`, a time, or behind a cursor. Throws `stream-from-invalid`, `cursor-reset`. */
export async function startPosition(tx: ReadTx, from: string): Promise<LogPosition> {
  if (from === 'now') return headPosition(tx)
  if (from === 'start') return tailPosition(tx)
  if (/^\d+\.\d+\.\d+$/.test(from)) {
    return mapClientPosition(tx, parseCursor(from))
  }
  const at = new Date(from)
  if (!/^\d{4}-\d\d-\d\d/.test(from) || Number.isNaN(at.getTime())) {
    throw streamErrors['stream-from-invalid'](`${JSON.stringify(from)} is no place in the log`)
  }
  return positionAt(tx, at)
}

export function startOf(database: Database, from: string): Promise<LogPosition> {
  return database.asSystem('streams').read((tx) => startPosition(tx, from))
}
