import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { PlannedAgent } from './agents-host.ts'
import { type AgentEvent, type AgentState, agentStates } from './agents-states-contract.ts'

/** What a person or the scaler wants of an agent. Null: nothing but that it works. */
export type AgentIntent = 'cordon' | 'drain' | 'remove' | 'warm'

export interface AgentRow {
  readonly tenant: TenantId
  readonly id: AgentId
  readonly pool: string
  readonly state: AgentState
  readonly intent: AgentIntent | null
  readonly rev: number
  readonly slots: number
  readonly used: number
  readonly runnerId: string
  readonly registeredAt: Date
}

const columns: Query = sql`a.tenant_id as tenant, a.id, a.pool, a.state, a.intent, a.rev, a.slots, a.used,
  a.runner_id as "runnerId", a.registered_at as "registeredAt"`

export async function lockAgent(tx: Tx, tenant: TenantId, id: string): Promise<AgentRow | null> {
  const rows = await tx.query<AgentRow>(sql`
    select ${columns} from agents a where a.tenant_id = ${tenant} and a.id = ${id} for update`)
  return rows[0] ?? null
}

/** Locks agents in id order. Those that are not there are left out. */
export async function lockAgents(tx: Tx, tenant: TenantId, ids: readonly AgentId[]): Promise<readonly AgentRow[]> {
  return tx.query(sql`
    select ${columns} from agents a where a.tenant_id = ${tenant} and a.id = any (${ids}::text[])
    order by a.tenant_id, a.id for update`)
}

/** Locks the agents of a pool in id order: the order of all who change several. */
export async function lockPoolAgents(tx: Tx, tenant: TenantId, pool: string): Promise<readonly AgentRow[]> {
  return tx.query(sql`
    select ${columns} from agents a where a.tenant_id = ${tenant} and a.pool = ${pool}
    order by a.tenant_id, a.id for update`)
}

/** Locks agents that are to be removed and hold nothing. Those that are just being changed are left for the next look. */
export async function lockRemovable(tx: Tx, limit: number): Promise<readonly AgentRow[]> {
  return tx.query(sql`
    select ${columns} from agents a where a.intent = 'remove' and a.used = 0 and a.state in ('draining', 'offline')
    order by a.tenant_id, a.id limit ${limit} for update skip locked`)
}

/** Locks agents whose runner has been silent since `since`, or is heard again. */
export async function lockByRunnerSilence(
  tx: Tx,
  which: 'silent' | 'heard',
  since: Date,
): Promise<readonly AgentRow[]> {
  return which === 'silent'
    ? tx.query(sql`
        select ${columns} from agents a join runners r on r.id = a.runner_id
        where a.state = 'healthy' and r.heartbeat_at < ${since}
        order by a.tenant_id, a.id for update of a skip locked`)
    : tx.query(sql`
        select ${columns} from agents a join runners r on r.id = a.runner_id
        where a.state = 'degraded' and a.state not in ('healthy', 'offline') and r.heartbeat_at >= ${since}
        order by a.tenant_id, a.id for update of a skip locked`)
}

/** What a look at the registry may have to do. Read without locks: who acts locks and looks again. */
export interface Attention {
  readonly silent: boolean
  readonly heard: boolean
  readonly removable: boolean
  /** Pools with a desired size. */
  readonly sized: readonly { readonly tenant: TenantId; readonly pool: string }[]
}

export async function readAttention(tx: ReadTx, since: Date): Promise<Attention> {
  const [row] = await tx.query<Attention>(sql`
    select
      exists (select from runners r where r.state <> 'lost' and r.heartbeat_at < ${since}
        and exists (select from agents a where a.runner_id = r.id and a.state = 'healthy')) as silent,
      exists (select from agents a join runners r on r.id = a.runner_id
        where a.state = 'degraded' and a.state not in ('healthy', 'offline') and r.heartbeat_at >= ${since}) as heard,
      exists (select from agents where intent = 'remove' and used = 0 and state in ('draining', 'offline')) as removable,
      coalesce((select json_agg(json_build_object('tenant', tenant_id, 'pool', name) order by tenant_id, name)
        from pools where desired is not null), '[]') as sized`)
  return row!
}

/** Which of these agents are still registered. */
export async function registeredOf(tx: ReadTx, ids: readonly AgentId[]): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: string }>(sql`
    select id from agents where id = any (${ids}::text[])`)
  return new Set(rows.map((row) => row.id))
}

export interface AgentChange {
  readonly agent: AgentRow
  readonly event: AgentEvent
  readonly intent: AgentIntent | null
  readonly reason?: string
}

/** Moves locked agents along the table, with one event each. Throws `illegal-transition`. */
export async function changeAgents(tx: Tx, changes: readonly AgentChange[], now: Date): Promise<readonly AgentRow[]> {
  if (changes.length === 0) return []
  const rows = changes.map(({ agent, event, intent }): AgentRow => {
    const state = transition(agentStates, `agent ${agent.id}`, agent.state, event)
    return { ...agent, state, intent, rev: agent.rev + 1 }
  })
  await tx.execute(sql`
    update agents a set state = i.state, intent = i.intent, rev = i.rev
    from unnest(${rows.map((r) => r.tenant)}::text[], ${rows.map((r) => r.id)}::text[], ${rows.map((r) => r.state)}::text[],
      ${rows.map((r) => r.intent)}::text[], ${rows.map((r) => r.rev)}::int[]) as i(tenant_id, id, state, intent, rev)
    where a.tenant_id = i.tenant_id and a.id = i.id`)
  await appendEvents(
    tx,
    rows.map((row, n) => agentEvent(row, now, changes[n]!.reason)),
  )
  return rows
}

/** Forgets locked agents that hold nothing. */
export async function deleteAgents(tx: Tx, agents: readonly AgentRow[]): Promise<void> {
  await tx.execute(sql`
    delete from agents a using unnest(${agents.map((a) => a.tenant)}::text[], ${agents.map((a) => a.id)}::text[]) as g(tenant_id, id)
    where a.tenant_id = g.tenant_id and a.id = g.id and a.used = 0`)
}

/** Announces agents that a host is about to start, each with its runner. They take nothing yet. */
export async function announceAgents(
  tx: Tx,
  planned: readonly PlannedAgent[],
  intent: 'warm' | null,
  now: Date,
): Promise<void> {
  for (const { runnerId, host, pid, registration: agent } of planned) {
    await tx.execute(sql`
      insert into runners (id, host, pid, state, registered_at, heartbeat_at)
      values (${runnerId}, ${host}, ${pid}, 'active', ${now}, ${now}) on conflict (id) do nothing`)
    await tx.execute(sql`
      insert into agents (tenant_id, id, pool, kind, state, intent, capabilities, labels, slots, weight, runner_id,
        registered_at, last_seen_at)
      values (${agent.tenant}, ${agent.agentId}, ${agent.pool}, ${agent.kind}, 'starting', ${intent},
        ${agent.capabilities}::text[], ${JSON.stringify(agent.labels)}::jsonb, ${agent.slots}, ${agent.weight}, ${runnerId},
        ${now}, ${now})`)
  }
  await appendEvents(
    tx,
    planned.map(({ runnerId, registration: { tenant, agentId: id, pool } }) =>
      agentEvent({ tenant, id, pool, state: 'starting', rev: 1, runnerId }, now),
    ),
  )
}

function agentEvent(
  agent: Pick<AgentRow, 'tenant' | 'id' | 'pool' | 'state' | 'rev' | 'runnerId'>,
  at: Date,
  reason?: string,
) {
  const data: JsonObject = { pool: agent.pool, runner: agent.runnerId, ...(reason === undefined ? {} : { reason }) }
  return {
    tenant: agent.tenant,
    type: `agent.${agent.state}`,
    subject: { kind: 'agent', id: agent.id, rev: agent.rev },
    runId: null,
    at,
    data,
  }
}
