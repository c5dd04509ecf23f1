import type { Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { scheduleEvent } from './fire-schedule.ts'
import { type ScheduleRow, saveSchedule } from './schedules-store.ts'

/** Lays a locked schedule aside, whose tenant is suspended: nothing starts, and nobody looks again until it is released. */
export async function holdSchedule(tx: Tx, row: ScheduleRow, now: Date): Promise<void> {
  await saveSchedule(tx, { ...row, rev: row.rev + 1, dueAt: null })
  const data = { dueAt: row.dueAt?.toISOString() ?? null, reason: 'the tenant is suspended' }
  await appendEvents(tx, [scheduleEvent(row, 'schedule.held', now, data)])
}
