import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'

export interface Shard {
  readonly tenant: TenantId
  readonly pool: string
}

export interface ShardLanes extends Shard {
  readonly strategy: string | null
  readonly lanes: readonly string[]
  readonly agents: readonly AgentRow[]
}

/** id, runner, slots, used, weight, revision of the registration. */
export type AgentRow = readonly [string, string, number, number, number, number]

/**
 * Names the lanes of shards that hold ready tasks, by hopping from lane to lane
 * along the index: the cost grows with the lanes, not with the tasks. With them the agents that have room, at most `maxAgents`
 * from a place that the caller rotates; and those in `freed`, whose slots the caller has yet to write. With `evenIdle` shards
 * are told too that hold none.
 */
export async function findLanes(
  tx: ReadTx,
  shards: readonly Shard[],
  agentsFrom: readonly string[],
  maxAgents: number,
  freed: readonly string[],
  evenIdle = false,
): Promise<ShardLanes[]> {
  const rows = await tx.query<Row>({
    name: 'find-lanes',
    text: `
      with held as materialized (
        select * from unnest($1::text[], $2::text[], $3::text[]) as s(tenant_id, pool, after))
      select held.tenant_id, held.pool, pools.strategy, coalesce(l.lanes, '{}') as lanes, a.agents
      from held
      left join pools on pools.tenant_id = held.tenant_id and pools.name = held.pool
      cross join lateral (
        with recursive hop as (
          (select t.lane from tasks t
            where t.tenant_id = held.tenant_id and t.pool = held.pool and t.state = 'ready'
            order by t.lane limit 1)
          union all
          select (select t.lane from tasks t
            where t.tenant_id = held.tenant_id and t.pool = held.pool and t.state = 'ready' and t.lane > hop.lane
            order by t.lane limit 1)
          from hop where hop.lane is not null)
        select array_agg(lane) as lanes from hop where lane is not null) l
      cross join lateral (
        select coalesce(json_agg(json_build_array(id, runner_id, slots, used, weight, rev)), '[]') as agents
        from (
          (select id, runner_id, slots, used, weight, rev from agents
            where tenant_id = held.tenant_id and pool = held.pool and state = 'healthy'
              and (used < slots or id = any ($5::text[])) and id > held.after
            order by id limit $4)
          union all
          (select id, runner_id, slots, used, weight, rev from agents
            where tenant_id = held.tenant_id and pool = held.pool and state = 'healthy'
              and (used < slots or id = any ($5::text[])) and id <= held.after
            order by id limit $4)
          limit $4) free) a
      where l.lanes is not null or $6`,
    values: [shards.map((s) => s.tenant), shards.map((s) => s.pool), agentsFrom, maxAgents, freed, evenIdle],
  })
  return rows.map((row) => ({
    tenant: row.tenant_id,
    pool: row.pool,
    strategy: row.strategy,
    lanes: row.lanes,
    agents: row.agents,
  }))
}

interface Row {
  tenant_id: TenantId
  pool: string
  strategy: string | null
  lanes: string[]
  agents: AgentRow[]
}
