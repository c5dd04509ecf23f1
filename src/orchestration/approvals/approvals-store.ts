import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { NewApproval } from '../runs/run-changes.ts'
import type { ApprovalStanding } from './approval-plan-contract.ts'
import { type ApprovalRules, plainRules } from './approval-rules-contract.ts'
import type { Vote } from './approval-votes-contract.ts'
import type { ApprovalView } from './approvals-contract.ts'

export interface ApprovalRow extends ApprovalStanding {
  readonly rules: ApprovalRules
  readonly tenant: TenantId
  readonly id: string
  readonly runId: RunId
  readonly taskId: string
  readonly step: string
  readonly message: string
  readonly state: ApprovalView['state']
  readonly rev: number
  readonly who: readonly string[]
  readonly requesters: readonly string[]
}

const columns: Query = sql`tenant_id as tenant, id, run_id as "runId", task_id as "taskId", step, message, state, rev, who, requesters,
  rules, level, default_answer as "defaultAnswer", deadline_at as "deadlineAt", created_at as "createdAt"`

export async function insertApprovalRows(
  tx: Tx,
  approvals: readonly (NewApproval & { readonly requesters: readonly string[] })[],
  now: Date,
): Promise<void> {
  for (const approval of approvals) {
    await tx.execute(sql`
      insert into approvals (tenant_id, id, run_id, task_id, step, message, state, who, deadline_at, default_answer, rules,
        requesters, created_at)
      values (${approval.tenant}, ${approval.id}, ${approval.runId}, ${approval.taskId}, ${approval.step}, ${approval.message},
        'pending', ${approval.who}::text[], ${approval.deadlineAt}, ${approval.defaultAnswer}, ${json(approval.rules ?? {})}::jsonb,
        ${approval.requesters}::text[], ${now})`)
  }
}

/** In id order, until the transaction ends. */
export async function lockApprovals(
  tx: Tx,
  refs: readonly { readonly tenant: TenantId; readonly id: string }[],
): Promise<readonly ApprovalRow[]> {
  const rows = await tx.query<StoredRow>(sql`
    select ${columns} from approvals
    where (tenant_id, id) in (select * from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.id)}::text[]))
    order by tenant_id, id for update`)
  return rows.map(toRow)
}

/** Not locked: whose it is does not change. */
export async function ownersOf(
  tx: ReadTx,
  refs: readonly { readonly tenant: TenantId; readonly id: string }[],
): Promise<readonly Pick<ApprovalRow, 'tenant' | 'runId' | 'taskId'>[]> {
  return tx.query(sql`
    select tenant_id as tenant, run_id as "runId", task_id as "taskId" from approvals
    where (tenant_id, id) in (select * from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.id)}::text[]))`)
}

export async function votesOn(tx: ReadTx, tenant: TenantId, id: string): Promise<readonly Vote[]> {
  return tx.query<Vote>(sql`
    select answered_by as by, decision from approval_answers
    where tenant_id = ${tenant} and approval_id = ${id} order by answered_at, answered_by`)
}

export interface GivenAnswer extends Vote {
  readonly choice: string | null
  readonly text: string | null
  readonly comment: string | null
}

export async function insertAnswer(
  tx: Tx,
  { tenant, id }: Pick<ApprovalRow, 'tenant' | 'id'>,
  { by, decision, choice, text, comment }: GivenAnswer,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into approval_answers (tenant_id, approval_id, answered_by, decision, choice, answer, comment, answered_at)
    values (${tenant}, ${id}, ${by}, ${decision}, ${choice}, ${text}, ${comment}, ${now})`)
}

/** `end`: how it ended, absent while it is open. */
export async function saveApproval(
  tx: Tx,
  row: Pick<ApprovalRow, 'tenant' | 'id' | 'who' | 'level' | 'deadlineAt'>,
  end: (Omit<GivenAnswer, 'decision'> & { readonly state: ApprovalView['state'] }) | null,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update approvals set rev = rev + 1, who = ${row.who}::text[], level = ${row.level}, deadline_at = ${row.deadlineAt},
      state = ${end?.state ?? 'pending'}, answered_by = ${end?.by ?? null}, choice = ${end?.choice ?? null},
      answer = ${end?.text ?? null}, comment = ${end?.comment ?? null}, answered_at = ${end === null ? null : now}::timestamptz
    where tenant_id = ${row.tenant} and id = ${row.id}`)
}

/** Closes what is open of tasks that have ended without an answer. */
export async function withdrawApprovals(
  tx: Tx,
  tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
  now: Date,
): Promise<readonly ApprovalRow[]> {
  const rows = await tx.query<StoredRow>(sql`
    update approvals set state = 'withdrawn', rev = rev + 1, answered_at = ${now}
    where (tenant_id, task_id) in (select * from unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[]))
      and state = 'pending'
    returning ${columns}`)
  return rows.map(toRow)
}

interface StoredRow extends Omit<ApprovalRow, 'rules'> {
  readonly rules: ApprovalRules | Record<string, never>
  readonly defaultAnswer: 'approve' | 'reject' | null
}

/** Approvals of before there were rules have a default alone. */
function toRow({ rules, defaultAnswer, ...row }: StoredRow): ApprovalRow {
  return { ...row, rules: { ...plainRules, atDeadline: defaultAnswer ?? 'reject', ...rules } }
}
