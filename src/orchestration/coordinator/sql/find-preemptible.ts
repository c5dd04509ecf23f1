import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/** A lease whose step lets others take its place. */
export interface PreemptibleLease {
  readonly tenant: TenantId
  readonly pool: string
  readonly taskId: string
  readonly fence: number
  readonly lane: string
  readonly agentId: string
  readonly runnerId: string
  readonly leasedAt: Date
}

/**
 * The leases of steps that say `preemptible`, which is in the names of their lanes. Not those that are being cancelled or
 * whose run is paused, nor tasks that have lost their place (or their runner) `mostLosses` times: they must come to an end.
 */
export async function findPreemptible(
  tx: ReadTx,
  mostLosses: number,
  limit: number,
): Promise<readonly PreemptibleLease[]> {
  return tx.query<PreemptibleLease>(sql`
    select t.tenant_id as tenant, t.pool, t.id as "taskId", t.fence, t.lane, t.agent_id as "agentId",
      t.runner_id as "runnerId", t.leased_at as "leasedAt"
    from tasks t join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id
    where t.runner_id is not null and t.state in ('leased', 'running') and t.lane ~ '[|;]e=1(;|$)'
      and t.cancel_reason is null and t.losses < ${mostLosses} and r.state <> 'paused'
    limit ${limit}`)
}

export interface PoolMember {
  readonly tenant: TenantId
  readonly pool: string
  readonly id: string
  readonly runnerId: string
  readonly slots: number
  readonly used: number
  readonly weight: number
  readonly rev: number
}

/** All healthy agents of some pools, the busy ones too. */
export async function readMembers(
  tx: ReadTx,
  shards: readonly { readonly tenant: TenantId; readonly pool: string }[],
): Promise<readonly PoolMember[]> {
  return tx.query<PoolMember>(sql`
    select a.tenant_id as tenant, a.pool, a.id, a.runner_id as "runnerId", a.slots, a.used, a.weight, a.rev
    from unnest(${shards.map((s) => s.tenant)}::text[], ${shards.map((s) => s.pool)}::text[]) as s(tenant_id, pool)
    join agents a on a.tenant_id = s.tenant_id and a.pool = s.pool
    where a.state = 'healthy' order by a.tenant_id, a.id`)
}
