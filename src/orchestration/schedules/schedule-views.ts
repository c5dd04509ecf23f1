import { nextSlot } from '../../foundation/platform/calendar/cron.ts'
import { dueOf } from './plan-slots.ts'
import type { ScheduleView, SlotView } from './schedules-contract.ts'
import type { ScheduleRow } from './schedules-store.ts'
import { ruleOf } from './slot-rule.ts'
import type { SlotRow } from './slots-store.ts'

export function toScheduleView(row: ScheduleRow, lastSlot: SlotRow | null): ScheduleView {
  const next = row.state === 'paused' ? null : nextSlot(row, row.lastSlotAt)
  return {
    name: row.name,
    state: row.state,
    workflow: row.workflow,
    inputs: row.inputs as ScheduleView['inputs'],
    repo: row.repoPath,
    priority: row.priority,
    parallel: row.parallel,
    labels: { ...row.labels },
    cron: row.cron,
    timeZone: row.timeZone,
    catchUp: row.catchUp,
    catchUpWindowMs: row.catchUpWindowMs,
    overlap: row.overlap,
    jitterMs: row.jitterMs,
    createdAt: row.createdAt.toISOString(),
    nextAt: next === null ? null : dueOf(ruleOf(row), next).toISOString(),
    lastSlot: lastSlot === null ? null : toSlotView(lastSlot),
  }
}

export function toSlotView(slot: SlotRow): SlotView {
  return {
    slotAt: slot.slotAt.toISOString(),
    state: slot.state,
    reason: slot.reason,
    runId: slot.runId,
    runState: slot.runState,
    decidedAt: slot.decidedAt.toISOString(),
    endedAt: slot.endedAt?.toISOString() ?? null,
  }
}
