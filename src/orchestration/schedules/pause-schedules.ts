import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { scheduleEvent } from './fire-schedule.ts'
import { lockSchedule, saveSchedule } from './schedules-store.ts'

/** Pauses those of these schedules that are active, in the caller's transaction. */
export async function pauseSchedules(tx: Tx, tenant: TenantId, names: readonly string[], now: Date): Promise<void> {
  for (const name of [...names].sort()) {
    const row = await lockSchedule(tx, tenant, name)
    if (row === null || row.state !== 'active') continue
    await saveSchedule(tx, { ...row, rev: row.rev + 1, state: 'paused', dueAt: null })
    await appendEvents(tx, [scheduleEvent(row, 'schedule.paused', now, {})])
  }
}
