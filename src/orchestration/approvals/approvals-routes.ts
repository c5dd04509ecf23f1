import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { answerApproval, approve, listApprovals, reject, showApproval } from './approvals-contract.ts'
import { approvalErrors } from './approvals-errors.ts'
import type { ApprovalsService } from './approvals-service.ts'
import { findApproval, listApprovals as readApprovals } from './approvals-view.ts'

export interface ApprovalRoutesOptions {
  readonly database: Database
  readonly approvals: ApprovalsService
  /** A run and those that it called; the `runs` part provides it. */
  readonly runsUnder: (tx: ReadTx, tenant: TenantId, run: RunId, most: number) => Promise<readonly RunId[]>
}

/** Of one tree. */
const mostRuns = 1_000

export function approvalRoutes({ database, approvals, runsUnder }: ApprovalRoutesOptions): Route[] {
  return [
    route({
      ...listApprovals,
      permission: 'approvals:read',
      handle: async ({ query, principal }) => {
        const { tenant } = principal
        const { state, run, limit } = query
        const before = parsePlace(query.after)
        const rows = await database.forTenant(tenant).read(async (tx) => {
          const runs = run === undefined ? undefined : await runsUnder(tx, tenant, run as RunId, mostRuns)
          return readApprovals(tx, tenant, { state, runs, before, limit: limit + 1 })
        })
        return toPage(rows, limit, (approval) => approval.createdAt)
      },
    }),
    route({
      ...showApproval,
      permission: 'approvals:read',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const found = await database.forTenant(tenant).read((tx) => findApproval(tx, tenant, id))
        if (found === null) throw approvalErrors['approval-not-found'](`there is no approval ${id}`)
        return found
      },
    }),
    route({
      ...approve,
      permission: 'approvals:write',
      handle: ({ params, body, principal }) =>
        approvals.answer(principal.tenant, params.id, 'approve', { by: principal.id, comment: body.comment ?? null }),
    }),
    route({
      ...reject,
      permission: 'approvals:write',
      handle: ({ params, body, principal }) =>
        approvals.answer(principal.tenant, params.id, 'reject', { by: principal.id, comment: body.comment ?? null }),
    }),
    route({
      ...answerApproval,
      permission: 'approvals:write',
      handle: ({ params, body, principal }) =>
        approvals.answer(principal.tenant, params.id, 'approve', {
          by: principal.id,
          comment: body.comment ?? null,
          choice: body.choice ?? null,
          text: body.text ?? null,
        }),
    }),
  ]
}
