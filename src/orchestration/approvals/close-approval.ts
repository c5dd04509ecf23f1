import type { JsonObject } from '../../foundation/kernel/json.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import { type ApprovalState, approvalStates } from './approval-states-contract.ts'
import { type ApprovalRow, type GivenAnswer, saveApproval } from './approvals-store.ts'
import { failSamplesOfStep } from './experience-store.ts'

type Ending = { readonly event: 'approve' | 'reject' | 'expire'; readonly given: GivenAnswer }

export type ApprovalChange =
  | Ending
  | { readonly event: 'vote'; readonly given: GivenAnswer }
  | { readonly event: 'escalate'; readonly to: readonly string[] }

/** Writes what has become of an approval, with its event: who, when and why. */
export async function keepApproval(tx: Tx, row: ApprovalRow, change: ApprovalChange, now: Date): Promise<void> {
  const state = transition(approvalStates, `approval ${row.id}`, row.state, change.event)
  await saveApproval(tx, row, isEnding(change) ? { ...change.given, state } : null, now)
  const isRefused = change.event === 'reject' && change.given.by !== 'deadline'
  if (isRefused) await failSamplesOfStep(tx, row, now)
  await appendEvents(tx, [
    {
      tenant: row.tenant,
      type: `approval.${eventName(change.event, state)}`,
      subject: { kind: 'approval', id: row.id, rev: row.rev + 1 },
      runId: row.runId,
      at: now,
      data: { step: row.step, ...dataOf(row, change) },
    },
  ])
}

/** What the answer means for the task that waited for it. */
export function changeOf(row: ApprovalRow, { event, given }: Ending): TaskChange {
  const { decision, by, comment, choice, text } = given
  const base = { tenant: row.tenant, taskId: row.taskId, fence: null }
  const output = { decision, by, comment, choice, text }
  if (decision === 'approve') return { ...base, event: 'succeed', to: 'succeeded', output }
  const reason =
    event === 'expire' ? 'nobody answered in time' : `${by} rejected it${comment === null ? '' : `: ${comment}`}`
  const error = { code: event === 'expire' ? 'approval-expired' : 'rejected', message: reason }
  return { ...base, event: 'fail', to: 'failed', output, reason, error }
}

function isEnding(change: ApprovalChange): change is Ending {
  return change.event !== 'vote' && change.event !== 'escalate'
}

function eventName(event: ApprovalChange['event'], state: ApprovalState): string {
  if (event === 'vote') return 'voted'
  return event === 'escalate' ? 'escalated' : state
}

function dataOf(row: ApprovalRow, change: ApprovalChange): JsonObject {
  if (change.event === 'escalate') {
    return { to: [...change.to], level: row.level, deadlineAt: row.deadlineAt?.toISOString() ?? null }
  }
  const { by, decision, choice, text, comment } = change.given
  return { by, decision, choice, text, comment }
}
