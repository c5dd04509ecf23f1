import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { AttemptReport } from '../../runners/exchange-contract.ts'
import type { FailurePolicy } from '../after-failure.ts'
import { joinSharedSpecs, wholeSpec } from './shared-specs.ts'

export interface FailedRow extends FailurePolicy {
  readonly fence: number
}

/**
 * What decides about another attempt, for the reports whose fence is still that of the task. The tasks are locked: a
 * request to cancel comes either before this look, or finds the task after the change that follows from it.
 */
export async function readFailed(tx: Tx, reports: readonly AttemptReport[]): Promise<readonly FailedRow[]> {
  const tenants: readonly TenantId[] = reports.map((report) => report.tenant)
  return tx.query<FailedRow>(sql`
    select t.fence, t.attempt - t.losses as attempt, t.cancel_reason, (${wholeSpec})->'retry' as retry
    from unnest(${tenants}::text[], ${reports.map((r) => r.taskId)}::text[],
      ${reports.map((r) => r.fence)}::bigint[]) as i(tenant_id, id, fence)
    join tasks t on t.tenant_id = i.tenant_id and t.id = i.id and t.fence = i.fence
    ${joinSharedSpecs}
    where t.state || '' in ('leased', 'running')
    order by t.tenant_id, t.id for update of t`)
}
