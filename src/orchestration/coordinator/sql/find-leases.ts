import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface LeaseRow {
  readonly tenant_id: TenantId
  readonly id: string
  readonly fence: number
  /** How often the task was lost with its runner before. */
  readonly losses: number
  readonly cancel_reason: string | null
}

export async function leasesOf(tx: ReadTx, runnerIds: readonly string[], limit: number): Promise<readonly LeaseRow[]> {
  return tx.query<LeaseRow>(sql`
    select tenant_id, id, fence, losses, cancel_reason from tasks
    where runner_id = any (${runnerIds}::text[]) and state in ('leased', 'running') order by tenant_id, id limit ${limit}`)
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
    select tenant_id, id, fence, losses, cancel_reason from tasks
    where runner_id is not null and state in ('leased', 'running') and lease_until < ${now}
    order by tenant_id, id limit ${limit}`)
}
