import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { FailurePolicy } from '../after-failure.ts'
import { joinSharedSpecs, wholeSpec } from './shared-specs.ts'

export interface LeaseRow extends FailurePolicy {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: string
  readonly fence: number
  /** How often the task was lost with its runner before. */
  readonly losses: number
  /** Its run is paused: it must not begin again by itself. */
  readonly paused: boolean
}

const columns: Query = sql`t.tenant_id as tenant, t.id as "taskId", t.run_id as "runId", t.fence, t.losses, t.cancel_reason,
  t.attempt - t.losses as attempt, (${wholeSpec})->'retry' as retry, r.state = 'paused' as paused`
const joins: Query = sql`join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id ${joinSharedSpecs}`

/** Leases of these runners; their tasks are locked. */
export async function lockLeasesOf(tx: Tx, runnerIds: readonly string[], limit: number): Promise<readonly LeaseRow[]> {
  return tx.query<LeaseRow>(sql`
    select ${columns} from tasks t ${joins}
    where t.runner_id = any (${runnerIds}::text[]) and t.state in ('leased', 'running')
    order by t.tenant_id, t.id limit ${limit} for update of t`)
}

/** Of the runners named, and of those given up before whose leases did not fit into one look, the ones that hold leases. */
export async function lostRunnersWithLeases(tx: ReadTx, named: readonly string[]): Promise<readonly string[]> {
  const rows = await tx.query<{ runner_id: string }>(sql`
    select distinct t.runner_id from tasks t join runners r on r.id = t.runner_id
    where t.state in ('leased', 'running') and (r.state = 'lost' or r.id = any (${named}::text[]))`)
  return rows.map((row) => row.runner_id)
}

/** Leases that are past their backstop. */
export async function overdueLeases(tx: ReadTx, now: Date, limit: number): Promise<readonly LeaseRow[]> {
  return tx.query<LeaseRow>(sql`
    select ${columns} from tasks t ${joins}
    where t.runner_id is not null and t.state in ('leased', 'running') and t.lease_until < ${now}
    order by t.tenant_id, t.id limit ${limit}`)
}
