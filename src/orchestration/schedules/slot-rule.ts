import type { SlotRule } from './plan-slots.ts'
import type { ScheduleRow } from './schedules-store.ts'

export function ruleOf(row: ScheduleRow): SlotRule {
  const { cron, timeZone, catchUp, catchUpWindowMs, jitterMs } = row
  return { cron, timeZone, catchUp, catchUpWindowMs, jitterMs, seed: `${row.tenant}/${row.name}` }
}
