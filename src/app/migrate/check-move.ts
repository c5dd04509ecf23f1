import { createHash } from 'node:crypto'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { tailPosition } from '../../foundation/runtime/cursors.ts'
import { type LogPosition, readEvents } from '../../foundation/runtime/event-log.ts'
import { migrateErrors } from './migrate-errors.ts'
import { type MovedTable, quoted } from './moved-tables.ts'

export interface TableDigest {
  readonly rows: number
  /** Of the contents of all rows, in whatever order. */
  readonly digest: string
}

/** Rows and contents of a table, without the columns that a move changes. */
export async function digestTable(tx: ReadTx, table: MovedTable, changed: readonly string[]): Promise<TableDigest> {
  const kept = table.columns.filter(({ name }) => !changed.includes(name)).map(({ name }) => quoted(name))
  const [row] = await tx.query<TableDigest>({
    text:
      `select count(*)::int as rows, coalesce(sum(('x' || substr(md5(row(${kept.join(', ')})::text), 1, 15))::bit(60)::bigint), 0)::text ` +
      `as digest from ${quoted(table.name)}`,
    values: [],
  })
  return row!
}

export interface LogChain {
  readonly events: number
  /** Each link is the hash of the link before it and of an event, as readers see them. */
  readonly head: string
}

const page = 2_000

/** The chain over all events that can still be read, in the order in which readers get them. */
export async function chainLog(tx: ReadTx, onEvents: (read: number) => void): Promise<LogChain> {
  let position: LogPosition = await tailPosition(tx)
  let head = ''
  let events = 0
  for (;;) {
    const batch = await readEvents(tx, position, page)
    for (const { tick, seq, type, subject, runId, data } of batch) {
      head = createHash('sha256')
        .update(JSON.stringify([head, tick, seq, type, subject, runId, data]))
        .digest('hex')
    }
    const last = batch.at(-1)
    if (last === undefined) return { events, head }
    position = { epoch: position.epoch, tick: last.tick, seq: last.seq }
    events += batch.length
    onEvents(events)
  }
}

/** Refuses with all that differs between what was read and what can be read now. */
export function assertSame(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): void {
  const differing = [...before].filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(after.get(name)))
  if (differing.length === 0) return
  const text = differing.map(
    ([name, value]) => `${name}: ${JSON.stringify(value)} became ${JSON.stringify(after.get(name))}`,
  )
  throw migrateErrors['move-check-failed'](text.join('\n'))
}
