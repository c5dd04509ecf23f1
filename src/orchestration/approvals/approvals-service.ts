import type { TenantId } from '../../foundation/kernel/ids.ts'
import { type StateTable, transition } from '../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { TimerHandler } from '../../foundation/runtime/timers.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { NewApproval } from '../runs/run-changes.ts'
import type { ApprovalView } from './approvals-contract.ts'
import { approvalErrors } from './approvals-errors.ts'
import { findApproval } from './approvals-view.ts'

export type ApprovalState = ApprovalView['state']
type ApprovalEvent = 'approve' | 'reject' | 'expire'

export const approvalStates: StateTable<ApprovalState, ApprovalEvent> = {
  pending: { approve: 'approved', reject: 'rejected', expire: 'expired' },
  approved: { approve: null, reject: null, expire: null },
  rejected: { approve: null, reject: null, expire: null },
  expired: { approve: null, reject: null, expire: null },
}

export interface Answer {
  readonly by: string
  /** Roles of the one who answers, beside the id. */
  readonly roles?: readonly string[]
  readonly comment: string | null
}

export interface ApprovalsServiceOptions {
  readonly database: Database
  readonly queue: TaskQueue
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
}

/** Questions to people: asked by `approval` steps and by gates that call for a review. */
export class ApprovalsService {
  readonly #options: ApprovalsServiceOptions

  constructor(options: ApprovalsServiceOptions) {
    this.#options = options
  }

  async answer(tenant: TenantId, id: string, decision: 'approve' | 'reject', answer: Answer): Promise<ApprovalView> {
    const { database, dispatch } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const row = await lockApproval(tx, tenant, id)
      if (row === null) throw approvalErrors['approval-not-found'](`there is no approval ${id}`)
      if (row.who.length > 0 && ![answer.by, ...(answer.roles ?? [])].some((name) => row.who.includes(name))) {
        throw approvalErrors['approval-not-yours'](`approval ${id} is for ${row.who.join(', ')}`)
      }
      const shards = await this.#decide(tx, row, decision, answer, now)
      await dispatch(tx, shards, now)
      return (await findApproval(tx, tenant, id))!
    })
  }

  /** Answers what nobody answered in time with the default. */
  readonly deadlines: TimerHandler = async (tx, timers, now) => {
    const shards: Shard[] = []
    for (const timer of timers) {
      const row = await lockApproval(tx, timer.tenant, timer.subjectId)
      if (row === null || row.state !== 'pending') continue
      shards.push(...(await this.#decide(tx, row, 'expire', { by: 'deadline', comment: null }, now)))
    }
    await this.#options.dispatch(tx, shards, now)
  }

  async #decide(tx: Tx, row: ApprovalRow, event: ApprovalEvent, answer: Answer, now: Date): Promise<readonly Shard[]> {
    const state = transition(approvalStates, `approval ${row.id}`, row.state, event)
    await tx.execute(sql`
      update approvals set state = ${state}, rev = rev + 1, answered_by = ${answer.by}, comment = ${answer.comment}, answered_at = ${now}
      where tenant_id = ${row.tenant_id} and id = ${row.id}`)
    const decision = event === 'expire' ? (row.default_answer ?? 'reject') : event
    await appendEvents(tx, [
      {
        tenant: row.tenant_id,
        type: `approval.${state}`,
        subject: { kind: 'approval', id: row.id, rev: row.rev + 1 },
        runId: row.run_id,
        at: now,
        data: { step: row.step, by: answer.by, decision },
      },
    ])
    const base = { tenant: row.tenant_id, taskId: row.task_id, fence: null }
    const output = { decision, by: answer.by, comment: answer.comment }
    if (decision === 'approve') {
      return (await this.#options.queue.change(tx, [{ ...base, event: 'succeed', to: 'succeeded', output }], now))
        .shards
    }
    const reason =
      event === 'expire'
        ? 'nobody answered in time'
        : `${answer.by} rejected it${answer.comment === null ? '' : `: ${answer.comment}`}`
    const error = { code: event === 'expire' ? 'approval-expired' : 'rejected', message: reason }
    return (
      await this.#options.queue.change(tx, [{ ...base, event: 'fail', to: 'failed', output, reason, error }], now)
    ).shards
  }
}

export async function insertApprovals(tx: Tx, approvals: readonly NewApproval[], now: Date): Promise<void> {
  for (const approval of approvals) {
    await tx.execute(sql`
      insert into approvals (tenant_id, id, run_id, task_id, step, message, state, who, deadline_at, default_answer, created_at)
      values (${approval.tenant}, ${approval.id}, ${approval.runId}, ${approval.taskId}, ${approval.step}, ${approval.message},
        'pending', ${approval.who}::text[], ${approval.deadlineAt}, ${approval.defaultAnswer}, ${now})`)
  }
  await appendEvents(
    tx,
    approvals.map((approval) => ({
      tenant: approval.tenant,
      type: 'approval.pending',
      subject: { kind: 'approval', id: approval.id, rev: 1 },
      runId: approval.runId,
      at: now,
      data: { step: approval.step, message: approval.message },
    })),
  )
}

/** Closes questions whose task has ended without an answer: it was cancelled, or its time was up. */
export async function closeApprovals(
  tx: Tx,
  tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
  now: Date,
): Promise<void> {
  const rows = await tx.query<ApprovalRow>(sql`
    update approvals a set state = 'expired', rev = a.rev + 1, answered_at = ${now}
    from unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[]) as e(tenant_id, task_id)
    where a.tenant_id = e.tenant_id and a.task_id = e.task_id and a.state = 'pending'
    returning a.tenant_id, a.id, a.run_id, a.task_id, a.step, a.state, a.rev, a.who, a.default_answer`)
  await appendEvents(
    tx,
    rows.map((row) => ({
      tenant: row.tenant_id,
      type: 'approval.expired',
      subject: { kind: 'approval', id: row.id, rev: row.rev },
      runId: row.run_id,
      at: now,
      data: { step: row.step },
    })),
  )
}

interface ApprovalRow {
  readonly tenant_id: TenantId
  readonly id: string
  readonly run_id: string
  readonly task_id: string
  readonly step: string
  readonly state: ApprovalState
  readonly rev: number
  readonly who: readonly string[]
  readonly default_answer: 'approve' | 'reject' | null
}

async function lockApproval(tx: Tx, tenant: TenantId, id: string): Promise<ApprovalRow | null> {
  const rows = await tx.query<ApprovalRow>(sql`
    select tenant_id, id, run_id, task_id, step, state, rev, who, default_answer from approvals
    where tenant_id = ${tenant} and id = ${id} for update`)
  return rows[0] ?? null
}
