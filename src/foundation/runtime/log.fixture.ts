import type { TenantId } from '../kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { formatCursor, parseCursor } from './cursors.ts'
import { appendEvents, type LoggedEvent, type LogPosition, readEvents } from './event-log.ts'
import { insertTick } from './ticker.ts'

export const tenant = 'default' as TenantId

/** Changes a subject as all code must: the row lock first, then its event. The row is one of the table the test borrows. */
export async function changeSubject(tx: Tx, subject: string, at: Date): Promise<number> {
  const [row] = await tx.query<{ rev: number }>(sql`
    insert into concurrency_groups (tenant_id, key, max, used) values (${tenant}, ${subject}, 0, 1)
    on conflict (tenant_id, key) do update set used = concurrency_groups.used + 1 returning used as rev`)
  const { rev } = row!
  await appendEvents(tx, [
    { tenant, type: 'thing.changed', subject: { kind: 'thing', id: subject, rev }, runId: null, at, data: { rev } },
  ])
  return rev
}

export const tick = (db: Database) => db.asSystem('test').write((tx) => insertTick(tx, db.clock.now()))

export const nameOf = (event: LoggedEvent) => `${event.subject.id}@${event.subject.rev}`

/** A reader that keeps nothing but the text of its cursor from one read to the next. */
export class CursorReader {
  readonly seen: LoggedEvent[] = []
  cursor: string

  constructor(from: LogPosition) {
    this.cursor = formatCursor(from)
  }

  async read(db: Database, limit: number): Promise<number> {
    const from = parseCursor(this.cursor)
    const events = await db.asSystem('test').read((tx) => readEvents(tx, from, limit))
    const last = events.at(-1)
    if (last !== undefined) this.cursor = formatCursor({ epoch: from.epoch, tick: last.tick, seq: last.seq })
    this.seen.push(...events)
    return events.length
  }

  async readAll(db: Database, limit: number): Promise<void> {
    while ((await this.read(db, limit)) > 0);
  }
}

/** What is wrong with a sequence of events: doubled, skipped or out of order within a subject. Revisions count from 1. */
export function faultsOf(events: readonly LoggedEvent[]): string[] {
  const revs = new Map<string, number>()
  const faults: string[] = []
  for (const event of events) {
    const before = revs.get(event.subject.id) ?? 0
    if (event.subject.rev !== before + 1) faults.push(`${nameOf(event)} after revision ${before}`)
    revs.set(event.subject.id, Math.max(before, event.subject.rev))
  }
  return faults
}

/** Names of all committed events, sorted. */
export async function committed(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(sql`
    select subject_id || '@' || subject_rev as name from events where subject_kind = 'thing'`)
  return rows.map((row) => row.name).sort()
}

/**
 * Resolves when `check` holds; fails after `ms`, which are for a machine that has much else to do. It looks less and less
 * often, so that looking does not keep it from what it waits for.
 */
export async function eventually(check: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  const deadline = performance.now() + ms
  for (let pause = 2; !(await check()); pause = Math.min(50, pause * 1.3)) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${check}`)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}
