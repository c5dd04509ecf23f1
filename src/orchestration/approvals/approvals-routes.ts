import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { PageOfRuns } from '../runs/page-of-runs.ts'
import { answerApproval, approve, listApprovals, reject, showApproval } from './approvals-contract.ts'
import { approvalErrors } from './approvals-errors.ts'
import type { ApprovalsService } from './approvals-service.ts'
import { findApproval, listApprovals as readApprovals } from './approvals-view.ts'

export interface ApprovalRoutesOptions {
  readonly database: Database
  readonly approvals: ApprovalsService
  /** Provided by the `runs` part. */
  readonly pageOfRuns: PageOfRuns
}

export function approvalRoutes({ database, approvals, pageOfRuns }: ApprovalRoutesOptions): Route[] {
  return [
    route({
      ...listApprovals,
      permission: 'approvals:read',
      handle: ({ query, principal: { tenant } }) =>
        pageOfRuns(
          tenant,
          query,
          (tx, filter) => readApprovals(tx, tenant, { ...filter, state: query.state }),
          (approval) => approval.createdAt,
        ),
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
