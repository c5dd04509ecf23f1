import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { AttemptReport } from '../../runners/exchange-contract.ts'
import type { ResolvedRetry } from '../../workflows/task-contract.ts'
import { joinSharedSpecs, wholeSpec } from './shared-specs.ts'

export interface FailedRow {
  readonly fence: number
  /** Attempts so far, without those lost with their runner. */
  readonly attempt: number
  readonly cancel_reason: string | null
  readonly retry: ResolvedRetry | null
}

/** What decides about another attempt, for the reports whose fence is still that of the task. */
export async function readFailed(tx: ReadTx, reports: readonly AttemptReport[]): Promise<readonly FailedRow[]> {
  const tenants: readonly TenantId[] = reports.map((report) => report.tenant)
  return tx.query<FailedRow>(sql`
    select t.fence, t.attempt - t.losses as attempt, t.cancel_reason, (${wholeSpec})->'retry' as retry
    from unnest(${tenants}::text[], ${reports.map((r) => r.taskId)}::text[],
      ${reports.map((r) => r.fence)}::bigint[]) as i(tenant_id, id, fence)
    join tasks t on t.tenant_id = i.tenant_id and t.id = i.id and t.fence = i.fence
    ${joinSharedSpecs}
    where t.state || '' in ('leased', 'running')`)
}
