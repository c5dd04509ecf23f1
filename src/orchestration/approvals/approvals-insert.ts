import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { setTimers, type Timer } from '../../foundation/runtime/timers.ts'
import type { ChangedTask } from '../coordinator/sql/change-tasks.ts'
import { experienceKey } from '../gates/confidence-contract.ts'
import type { NewApproval } from '../runs/run-changes.ts'
import { nextMove } from './approval-plan-contract.ts'
import { plainRules } from './approval-rules-contract.ts'
import { insertApprovalRows, withdrawApprovals } from './approvals-store.ts'
import { experienceOf, insertSamples } from './experience-store.ts'
import { judgeQuestion } from './question-policy.ts'

export interface InsertApprovalsOptions {
  /** Who started a run, directly or through the runs it comes from; the `runs` part provides it. */
  readonly requestersOf: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<readonly string[]>
}

/** Who answers where nobody has to be asked. */
export const policyName = 'policy'

/** The one timer of an approval; it is dropped with its task. */
export function approvalTimer(
  { tenant, taskId, id }: Pick<NewApproval, 'tenant' | 'taskId' | 'id'>,
  dueAt: Date,
  reason?: string,
): Timer {
  const data = reason === undefined ? {} : { data: { reason } }
  return { tenant, id: `approval:${taskId}`, kind: 'approval-deadline', subjectId: id, dueAt, ...data }
}

/**
 * Puts questions to people, in the transaction that makes their tasks. Where the policy needs nobody, its answer comes
 * with the next look at the timers, as every other answer does: in a transaction of its own.
 */
export function createInsertApprovals({ requestersOf }: InsertApprovalsOptions) {
  return async (tx: Tx, approvals: readonly NewApproval[], now: Date): Promise<void> => {
    for (const [tenant, own] of Map.groupBy(approvals, (approval) => approval.tenant)) {
      const asked: (NewApproval & { readonly requesters: readonly string[] })[] = []
      for (const approval of own) {
        const needed = approval.rules?.requesterMayApprove === false
        asked.push({ ...approval, requesters: needed ? await requestersOf(tx, tenant, approval.runId) : [] })
      }
      await insertApprovalRows(tx, asked, now)
      await setOut(tx, tenant, own, now)
    }
  }
}

async function setOut(tx: Tx, tenant: TenantId, approvals: readonly NewApproval[], now: Date): Promise<void> {
  const judged = approvals.flatMap(({ rules }) => rules?.confidence ?? [])
  const learned = judged.length === 0 ? new Map() : await experienceOf(tx, tenant, judged.map(experienceKey))
  const set = approvals.map((approval) => {
    const rules = approval.rules ?? plainRules
    const { id, runId, step } = approval
    const policy = rules.confidence === null ? null : judgeQuestion(rules.confidence, learned)
    const standing = { rules, createdAt: now, deadlineAt: approval.deadlineAt, level: 0 }
    const move = nextMove(standing, now)
    const timer =
      policy?.asks === false
        ? approvalTimer(approval, now, policy.reason)
        : approval.rules !== undefined && move.kind === 'wait' && move.until !== null
          ? approvalTimer(approval, move.until)
          : null
    const sample = policy === null ? null : { tenant, id, key: policy.key, runId, step, success: null }
    return { approval, policy, timer, sample }
  })
  await setTimers(
    tx,
    set.flatMap(({ timer }) => timer ?? []),
  )
  await insertSamples(
    tx,
    set.flatMap(({ sample }) => sample ?? []),
    now,
  )
  await appendEvents(
    tx,
    set.map(({ approval, policy }) => ({
      tenant,
      type: 'approval.pending',
      subject: { kind: 'approval', id: approval.id, rev: 1 },
      runId: approval.runId,
      at: now,
      data: {
        ...{ step: approval.step, message: approval.message, who: [...approval.who] },
        ...(policy === null ? {} : { policy: { asks: policy.asks, reason: policy.reason } }),
      },
    })),
  )
}

/** Closes questions whose task has ended without an answer: it was cancelled, or its time was up. */
export async function closeApprovals(
  tx: Tx,
  tasks: readonly Pick<ChangedTask, 'tenant' | 'taskId' | 'to'>[],
  now: Date,
): Promise<void> {
  const rows = await withdrawApprovals(tx, tasks, now)
  const ends = new Map(tasks.map((task) => [`${task.tenant}/${task.taskId}`, task.to]))
  await appendEvents(
    tx,
    rows.map(({ tenant, id, rev, runId, taskId, step }) => ({
      ...{ tenant, runId, at: now, type: 'approval.withdrawn' },
      subject: { kind: 'approval', id, rev },
      data: { step, by: null, comment: `its task is ${ends.get(`${tenant}/${taskId}`) ?? 'ended'}` },
    })),
  )
}
