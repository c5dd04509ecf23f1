import type { RunId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { RunRef } from './run-rows.ts'
import type { RunState } from './states-contract.ts'

export interface EndedRun extends RunRef {
  readonly runId: RunId
  readonly state: RunState
  readonly endedAt: Date
}

/** Those of these runs that have ended. */
export async function readEndedRuns(tx: ReadTx, refs: readonly RunRef[]): Promise<readonly EndedRun[]> {
  return tx.query(sql`
    select r.tenant_id as tenant, r.id as "runId", r.state, r.ended_at as "endedAt"
    from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.runId)}::text[]) as w(tenant_id, id)
    join runs r on r.tenant_id = w.tenant_id and r.id = w.id
    where r.ended_at is not null`)
}
