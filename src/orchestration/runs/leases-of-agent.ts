import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface LeaseView {
  readonly taskId: string
  readonly runId: string
  readonly step: string
  readonly state: string
  readonly attempt: number
  readonly leasedAt: string
  readonly progressAt: string | null
}

/** What an agent works on, the oldest lease first, at most 1,000. */
export async function leasesOfAgent(
  tx: ReadTx,
  tenant: TenantId,
  agent: { readonly id: string; readonly runnerId: string },
): Promise<LeaseView[]> {
  const rows = await tx.query<
    Omit<LeaseView, 'leasedAt' | 'progressAt'> & { readonly leasedAt: Date; readonly progressAt: Date | null }
  >(sql`
    select id as "taskId", run_id as "runId", step, state, attempt, leased_at as "leasedAt", progress_at as "progressAt"
    from tasks
    where runner_id = ${agent.runnerId} and state in ('leased', 'running') and tenant_id = ${tenant} and agent_id = ${agent.id}
    order by leased_at limit 1000`)
  return rows.map(({ leasedAt, progressAt, ...row }) => ({
    ...row,
    leasedAt: leasedAt.toISOString(),
    progressAt: progressAt?.toISOString() ?? null,
  }))
}
