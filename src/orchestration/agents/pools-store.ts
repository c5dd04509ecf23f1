import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { EndedWork } from './agents-meter.ts'

/** A pool as the scaler and its hosts see it. */
export interface PoolFigures {
  readonly tenant: TenantId
  readonly pool: string
  readonly desired: number | null
  readonly warm: number
  /** Agents that count for its size, their slots, and how many of them are in use. */
  readonly agents: number
  readonly slots: number
  readonly used: number
  /** Agents that finish what they have and go. */
  readonly leaving: number
  /** Totals of all that ended, as hosts have counted it. */
  readonly completed: number
  readonly busyMs: number
}

export async function readPoolFigures(tx: ReadTx, tenant: TenantId, pool: string): Promise<PoolFigures | null> {
  const rows = await tx.query<PoolFigures>(sql`
    select p.tenant_id as tenant, p.name as pool, p.desired, coalesce((p.settings->>'warm')::int, 0) as warm, p.completed,
      p.busy_ms as "busyMs", coalesce(a.agents, 0) as agents, coalesce(a.slots, 0) as slots, coalesce(a.used, 0) as used,
      coalesce(a.leaving, 0) as leaving
    from pools p left join lateral (
      select count(*) filter (where serves)::int as agents, sum(slots) filter (where serves)::int as slots,
        sum(used) filter (where serves)::int as used,
        count(*) filter (where intent = 'remove' and state = 'draining')::int as leaving
      from (select a.*, a.intent is null and a.state in ('starting', 'healthy', 'degraded', 'unhealthy') as serves from agents a
        where a.tenant_id = p.tenant_id and a.pool = p.name) a) a on true
    where p.tenant_id = ${tenant} and p.name = ${pool}`)
  return rows[0] ?? null
}

/** Sets how many agents a pool should have. */
export async function setPoolSize(
  tx: Tx,
  tenant: TenantId,
  pool: string,
  { desired, warm }: { readonly desired: number; readonly warm: number },
): Promise<void> {
  await tx.execute(sql`
    update pools set desired = ${desired}, settings = jsonb_set(settings, '{warm}', to_jsonb(${warm}::int))
    where tenant_id = ${tenant} and name = ${pool}
      and (desired is distinct from ${desired}::int or coalesce((settings->>'warm')::int, 0) <> ${warm})`)
}

/** The revision for the next event of a pool. */
export async function nextPoolRev(tx: Tx, tenant: TenantId, pool: string): Promise<number> {
  const rows = await tx.query<{ rev: number }>(sql`
    update pools set settings = jsonb_set(settings, '{rev}', to_jsonb(coalesce((settings->>'rev')::int, 0) + 1))
    where tenant_id = ${tenant} and name = ${pool} returning (settings->>'rev')::int as rev`)
  return rows[0]?.rev ?? 1
}

/** Locks a pool that has a desired size; null: it has none, or another process is at it. */
export async function claimPool(
  tx: Tx,
  tenant: TenantId,
  pool: string,
): Promise<{ readonly desired: number; readonly warm: number } | null> {
  const rows = await tx.query<{ desired: number; warm: number }>(sql`
    select desired, coalesce((settings->>'warm')::int, 0) as warm from pools
    where tenant_id = ${tenant} and name = ${pool} and desired is not null for update skip locked`)
  return rows[0] ?? null
}

/** Adds what agents have ended to the totals of their pools. Pools without a desired size do not ask. */
export async function addEnded(tx: Tx, ended: readonly EndedWork[]): Promise<void> {
  if (ended.length === 0) return
  await tx.execute(sql`
    update pools p set completed = p.completed + e.count, busy_ms = p.busy_ms + e.busy_ms
    from (
      select a.tenant_id, a.pool, sum(i.count)::bigint as count, sum(i.busy_ms)::bigint as busy_ms
      from unnest(${ended.map((e) => e.tenant)}::text[], ${ended.map((e) => e.agentId)}::text[],
        ${ended.map((e) => e.count)}::bigint[], ${ended.map((e) => Math.round(e.busyMs))}::bigint[])
        as i(tenant_id, id, count, busy_ms)
      join agents a on a.tenant_id = i.tenant_id and a.id = i.id
      group by a.tenant_id, a.pool) e
    where p.tenant_id = e.tenant_id and p.name = e.pool and p.desired is not null`)
}

export interface PoolRow {
  readonly name: string
  readonly strategy: string
  readonly desired: number | null
  readonly warm: number
  readonly byState: Readonly<Record<string, number>>
  readonly slots: number
  readonly used: number
}

export async function readPools(tx: ReadTx, tenant: TenantId): Promise<readonly PoolRow[]> {
  return tx.query(sql`
    select p.name, p.strategy, p.desired, coalesce((p.settings->>'warm')::int, 0) as warm,
      coalesce(jsonb_object_agg(a.state, a.count) filter (where a.state is not null), '{}') as "byState",
      coalesce(sum(a.slots) filter (where a.state <> 'offline'), 0)::int as slots,
      coalesce(sum(a.used) filter (where a.state <> 'offline'), 0)::int as used
    from pools p left join (
      select pool, state, count(*)::int as count, sum(slots)::int as slots, sum(used)::int as used from agents
      where tenant_id = ${tenant} group by pool, state) a on a.pool = p.name
    where p.tenant_id = ${tenant} group by p.name, p.strategy, p.desired, p.settings order by p.name limit 10000`)
}
