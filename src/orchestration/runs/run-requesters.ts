import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { RunRef } from './run-rows.ts'

/** Whether it matters who starts a run of it: some approval has to be given by somebody else, or it calls others. */
export function needsRequester(definition: WorkflowDefinition): boolean {
  return [...Object.values(definition.steps), ...Object.values(definition.finally)].some((step) => {
    const work = step.kind === 'map' ? step.map.step : step
    if (work.kind === 'workflow') return true
    const asking = work.kind === 'approval' ? work.approval : work.kind === 'gate' ? work.gate : null
    return asking?.requesterMayApprove === false
  })
}

export async function insertRequesters(tx: Tx, { tenant, runId }: RunRef, by: readonly string[]): Promise<void> {
  if (by.length === 0) return
  await tx.execute(sql`
    insert into run_requesters (tenant_id, run_id, requested_by)
    select ${tenant}, ${runId}, requested_by from unnest(${by}::text[]) as i(requested_by)
    on conflict do nothing`)
}

/** Who started a run, and those it comes from: the run it repeats, or the run that called it. */
export async function requestersOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly string[]> {
  const rows = await tx.query<{ by: string }>(sql`
    with recursive up as (
      select id, origin_id, 1 as level from runs where tenant_id = ${tenant} and id = ${runId}
      union all
      select r.id, r.origin_id, up.level + 1 from up join runs r on r.tenant_id = ${tenant} and r.id = up.origin_id
      where up.level < 100)
    select distinct q.requested_by as by from up
    join run_requesters q on q.tenant_id = ${tenant} and q.run_id = up.id order by q.requested_by`)
  return rows.map(({ by }) => by)
}
