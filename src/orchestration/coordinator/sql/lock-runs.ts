import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { prepared } from '../../../foundation/platform/database/sql.ts'

/** Locks runs in id order. Runs come before concurrency groups: whoever moves a run on takes places for its next tasks. */
export async function lockRunsOf(
  tx: Tx,
  refs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<void> {
  if (refs.length === 0) return
  tx.post(prepared('lock-runs-of')`
    select 1 from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.runId)}::text[]) as w(tenant_id, id)
    join runs r on r.tenant_id = w.tenant_id and r.id = w.id
    order by r.tenant_id, r.id for update of r`)
}
