import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import { type ApprovalRules, plainRules } from './approval-rules-contract.ts'
import type { ApprovalView } from './approvals-contract.ts'

const columns: Query = sql`a.id, a.run_id, a.task_id, a.step, a.message, a.state, a.who, a.rules, a.level, a.requesters, a.deadline_at,
  a.default_answer, a.answered_by, a.choice, a.answer, a.comment, a.created_at, a.answered_at,
  (select coalesce(json_agg(json_build_object('by', g.answered_by, 'decision', g.decision, 'choice', g.choice, 'text', g.answer,
      'comment', g.comment, 'at', extract(epoch from g.answered_at) * 1000) order by g.answered_at, g.answered_by), '[]')
    from approval_answers g where g.tenant_id = a.tenant_id and g.approval_id = a.id) as answers`

export async function findApproval(tx: ReadTx, tenant: TenantId, id: string): Promise<ApprovalView | null> {
  const rows = await tx.query<Row>(
    sql`select ${columns} from approvals a where a.tenant_id = ${tenant} and a.id = ${id}`,
  )
  return rows[0] === undefined ? null : toView(rows[0])
}

export interface ApprovalFilter {
  readonly state?: string | undefined
  readonly runs?: readonly string[] | undefined
  readonly before: { readonly at: Date; readonly id: string } | null
  readonly limit: number
}

/** Newest first, before the given place. */
export async function listApprovals(tx: ReadTx, tenant: TenantId, filter: ApprovalFilter): Promise<ApprovalView[]> {
  const { state = null, runs = null, before, limit } = filter
  const rows = await tx.query<Row>(sql`
    select ${columns} from approvals a
    where a.tenant_id = ${tenant} and (${state}::text is null or a.state = ${state})
      and (${runs}::text[] is null or a.run_id = any (${runs}::text[]))
      and (${before?.at ?? null}::timestamptz is null or (a.created_at, a.id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}))
    order by a.created_at desc, a.id desc limit ${limit}`)
  return rows.map(toView)
}

/** Of a run, in the order in which they were asked. */
export async function approvalsOfRun(tx: ReadTx, tenant: TenantId, run: string): Promise<readonly ApprovalView[]> {
  const newest = await listApprovals(tx, tenant, { runs: [run], before: null, limit: 1_000 })
  return newest.toReversed()
}

interface Row {
  readonly id: string
  readonly run_id: string
  readonly task_id: string
  readonly step: string
  readonly message: string
  readonly state: ApprovalView['state']
  readonly who: string[]
  readonly rules: Partial<ApprovalRules>
  readonly level: number
  readonly requesters: string[]
  readonly deadline_at: Date | null
  readonly default_answer: string | null
  readonly answered_by: string | null
  readonly choice: string | null
  readonly answer: string | null
  readonly comment: string | null
  readonly created_at: Date
  readonly answered_at: Date | null
  readonly answers: readonly (Omit<ApprovalView['answers'][number], 'at'> & { readonly at: number })[]
}

function toView(row: Row): ApprovalView {
  const rules = { ...plainRules, atDeadline: row.default_answer ?? 'reject', ...row.rules }
  return {
    id: row.id,
    runId: row.run_id,
    taskId: row.task_id,
    step: row.step,
    message: row.message,
    state: row.state,
    who: row.who,
    count: rules.count,
    requesterMayApprove: rules.requesterMayApprove,
    requesters: row.requesters,
    deadlineAt: row.deadline_at?.toISOString() ?? null,
    default: rules.atDeadline,
    escalate: rules.escalate.map(({ afterMs, to }) => ({ afterMs, to: [...to] })),
    level: row.level,
    choices: rules.choices.map(({ id, label }) => ({ id, label })),
    freeText: rules.freeText,
    answers: row.answers.map((answer) => ({ ...answer, at: new Date(answer.at).toISOString() })),
    answeredBy: row.answered_by,
    choice: row.choice,
    text: row.answer,
    comment: row.comment,
    createdAt: row.created_at.toISOString(),
    answeredAt: row.answered_at?.toISOString() ?? null,
  }
}
