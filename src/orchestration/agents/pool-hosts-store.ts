import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { AgentRegistration } from '../runners/exchange-contract.ts'

/** What agents of a pool are, wherever they are started. */
export type AgentTemplate = Omit<AgentRegistration, 'tenant' | 'agentId'>

export interface PoolHostRow {
  readonly runnerId: string
  /** Name of the machine. */
  readonly host: string
  readonly pid: number
  /** Null: the process starts its own, and nobody else starts any there. */
  readonly template: AgentTemplate | null
  /** Agents there now, of all pools, and how many there may be. Of a process that starts its own `present` is unknown: null. */
  readonly present: number | null
  readonly most: number
}

export async function savePoolHosts(
  tx: Tx,
  tenant: TenantId,
  runnerId: string,
  hosts: readonly { readonly pool: string; readonly template: AgentTemplate | null }[],
  most: number,
): Promise<void> {
  if (hosts.length === 0) return
  await tx.execute(sql`
    insert into pools (tenant_id, name) select ${tenant}, name from unnest(${hosts.map(({ pool }) => pool)}::text[]) as i(name)
    on conflict do nothing`)
  await tx.execute(sql`
    insert into pool_hosts (tenant_id, pool, runner_id, template, most)
    select ${tenant}, pool, ${runnerId}, template, ${most}::int
    from unnest(${hosts.map(({ pool }) => pool)}::text[],
      ${hosts.map(({ template }) => (template === null ? null : JSON.stringify(template)))}::jsonb[]) as i(pool, template)
    on conflict (tenant_id, pool, runner_id) do update set template = excluded.template, most = excluded.most`)
}

/** From here on nothing is started there. */
export async function dropPoolHosts(tx: Tx, tenant: TenantId, runnerId: string): Promise<void> {
  await tx.execute(sql`delete from pool_hosts where tenant_id = ${tenant} and runner_id = ${runnerId}`)
}

/** The hosts of a pool that have spoken since `since`. */
export async function readPoolHosts(
  tx: ReadTx,
  tenant: TenantId,
  pool: string,
  since: Date,
): Promise<readonly PoolHostRow[]> {
  return tx.query(sql`
    select h.runner_id as "runnerId", r.host, r.pid, h.template, h.most,
      case when h.template is not null then (
        select count(*)::int from agents a where a.runner_id = h.runner_id and a.state <> 'offline') end as present
    from pool_hosts h join runners r on r.id = h.runner_id
    where h.tenant_id = ${tenant} and h.pool = ${pool} and r.state = 'active' and r.heartbeat_at >= ${since}
    order by h.runner_id limit 1000`)
}

/** Pools with a desired size, by name. */
export async function readSizedPools(tx: ReadTx, tenant: TenantId): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(sql`
    select name from pools where tenant_id = ${tenant} and desired is not null order by name`)
  return rows.map(({ name }) => name)
}

export interface AgentOnRunner {
  readonly id: AgentId
  readonly pool: string
  readonly state: string
  readonly intent: string | null
}

/** All agents that the registry has on a runner. */
export async function readAgentsOn(tx: ReadTx, tenant: TenantId, runnerId: string): Promise<readonly AgentOnRunner[]> {
  return tx.query(sql`
    select id, pool, state, intent from agents
    where tenant_id = ${tenant} and runner_id = ${runnerId} and state not in ('stopping', 'offline') order by id`)
}

/** Forgets the hosts of runners that nobody remembers. */
export async function prunePoolHosts(tx: Tx): Promise<void> {
  await tx.execute(sql`
    delete from pool_hosts h where not exists (select from runners r where r.id = h.runner_id)`)
}
