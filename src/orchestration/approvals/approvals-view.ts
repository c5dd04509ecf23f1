import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { ApprovalView } from './approvals-contract.ts'

const columns: Query = sql`id, run_id, task_id, step, message, state, who, deadline_at, default_answer, answered_by, comment, created_at, answered_at`

export async function findApproval(tx: ReadTx, tenant: TenantId, id: string): Promise<ApprovalView | null> {
  const rows = await tx.query<Row>(sql`select ${columns} from approvals where tenant_id = ${tenant} and id = ${id}`)
  return rows[0] === undefined ? null : toView(rows[0])
}

/** Newest first, before the given place. */
export async function listApprovals(
  tx: ReadTx,
  tenant: TenantId,
  filter: {
    readonly state?: string | undefined
    readonly run?: string | undefined
    readonly before: { readonly at: Date; readonly id: string } | null
    readonly limit: number
  },
): Promise<ApprovalView[]> {
  const rows = await tx.query<Row>(sql`
    select ${columns} from approvals
    where tenant_id = ${tenant} and (${filter.state ?? null}::text is null or state = ${filter.state ?? null})
      and (${filter.run ?? null}::text is null or run_id = ${filter.run ?? null})
      and (${filter.before?.at ?? null}::timestamptz is null or (created_at, id) < (${filter.before?.at ?? null}::timestamptz, ${filter.before?.id ?? null}))
    order by created_at desc, id desc limit ${filter.limit}`)
  return rows.map(toView)
}

interface Row {
  id: string
  run_id: string
  task_id: string
  step: string
  message: string
  state: ApprovalView['state']
  who: string[]
  deadline_at: Date | null
  default_answer: ApprovalView['default']
  answered_by: string | null
  comment: string | null
  created_at: Date
  answered_at: Date | null
}

function toView(row: Row): ApprovalView {
  return {
    id: row.id,
    runId: row.run_id,
    taskId: row.task_id,
    step: row.step,
    message: row.message,
    state: row.state,
    who: row.who,
    deadlineAt: row.deadline_at?.toISOString() ?? null,
    default: row.default_answer,
    answeredBy: row.answered_by,
    comment: row.comment,
    createdAt: row.created_at.toISOString(),
    answeredAt: row.answered_at?.toISOString() ?? null,
  }
}
