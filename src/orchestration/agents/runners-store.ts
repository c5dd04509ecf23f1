import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents, type NewEvent } from '../../foundation/runtime/event-log.ts'
import type { RunnerRegistration } from '../runners/exchange-contract.ts'

/** A runner whose leases are no longer its own. */
export interface LostRunner {
  readonly id: string
}

/** Runners, and the agents that live on them. */
export class RunnersStore {
  /** Announces a runner and its agents, or again after it was given up. Agents keep the slots that their leases take. */
  async register(tx: Tx, registration: RunnerRegistration, now: Date): Promise<void> {
    await tx.execute(sql`
      insert into runners (id, host, pid, state, registered_at, heartbeat_at)
      values (${registration.runnerId}, ${registration.host}, ${registration.pid}, 'active', ${now}, ${now})
      on conflict (id) do update set state = 'active', heartbeat_at = excluded.heartbeat_at`)
    const { agents } = registration
    const pools = [...new Map(agents.map((agent) => [`${agent.tenant}/${agent.pool}`, agent])).values()]
    await tx.execute(sql`
      insert into pools (tenant_id, name)
      select * from unnest(${pools.map((p) => p.tenant)}::text[], ${pools.map((p) => p.pool)}::text[])
      on conflict do nothing`)
    const rows = await tx.query<AgentChange>(sql`
      insert into agents (tenant_id, id, pool, kind, state, capabilities, labels, slots, weight, runner_id, registered_at, last_seen_at)
      select i.tenant_id, i.id, i.pool, i.kind, 'healthy', i.capabilities::text[], i.labels, i.slots, i.weight,
        ${registration.runnerId}, ${now}, ${now}
      from unnest(${agents.map((a) => a.tenant)}::text[], ${agents.map((a) => a.agentId)}::text[],
        ${agents.map((a) => a.pool)}::text[], ${agents.map((a) => a.kind)}::text[],
        ${agents.map((a) => `{${a.capabilities.join(',')}}`)}::text[], ${agents.map((a) => JSON.stringify(a.labels))}::jsonb[],
        ${agents.map((a) => a.slots)}::int[], ${agents.map((a) => a.weight)}::real[])
        as i(tenant_id, id, pool, kind, capabilities, labels, slots, weight)
      on conflict (tenant_id, id) do update set pool = excluded.pool, kind = excluded.kind, state = ${stateOfIntent},
        rev = agents.rev + 1, capabilities = excluded.capabilities, labels = excluded.labels,
        slots = greatest(excluded.slots, agents.used), weight = excluded.weight, runner_id = excluded.runner_id,
        last_seen_at = excluded.last_seen_at
      returning tenant_id, id, rev, pool, runner_id, state`)
    await appendEvents(
      tx,
      rows.map((row) => agentEvent(row, `agent.${row.state}`, now)),
    )
  }

  /** Sets how pools choose among their agents; null leaves the usual way. */
  async configurePools(
    tx: Tx,
    pools: readonly { readonly tenant: TenantId; readonly name: string; readonly strategy: string | null }[],
  ): Promise<void> {
    await tx.execute(sql`
      update pools p set strategy = coalesce(i.strategy, 'least_connections')
      from unnest(${pools.map((p) => p.tenant)}::text[], ${pools.map((p) => p.name)}::text[],
        ${pools.map((p) => p.strategy)}::text[]) as i(tenant_id, name, strategy)
      where p.tenant_id = i.tenant_id and p.name = i.name`)
  }

  /**
   * Notes that a runner lives. One that was given up and is heard of again gets its agents back, though not its leases.
   * False: nobody knows it.
   */
  async heartbeat(tx: Tx, runnerId: string, now: Date): Promise<boolean> {
    // One statement: between two, a call beside this one could have done what the second looks for.
    const [noted] = await tx.query<{ before: string }>(sql`
      with known as materialized (select id, state from runners where id = ${runnerId} for no key update)
      update runners r set heartbeat_at = ${now}, state = 'active' from known where r.id = known.id
      returning known.state as before`)
    if (noted === undefined) return false
    if (noted.before !== 'lost') return true
    const agents = await tx.query<AgentChange>(sql`
      update agents set state = ${stateOfIntent}, rev = rev + 1, last_seen_at = ${now}
      where runner_id = ${runnerId} and state = 'offline' returning tenant_id, id, rev, pool, runner_id, state`)
    await appendEvents(
      tx,
      agents.map((agent) => agentEvent(agent, `agent.${agent.state}`, now)),
    )
    return true
  }

  /** Counts runners as heard of now: they could not be heard while there was nobody to listen. Lost ones stay lost. */
  async grace(tx: Tx, ids: readonly string[], now: Date): Promise<void> {
    await tx.execute(sql`
      update runners set heartbeat_at = ${now} where id = any (${ids}::text[]) and state <> 'lost'`)
  }

  async shardsOf(tx: ReadTx, runnerId: string): Promise<readonly { tenant: TenantId; pool: string }[]> {
    const rows = await tx.query<{ tenant_id: TenantId; pool: string }>(sql`
      select distinct tenant_id, pool from agents where runner_id = ${runnerId}`)
    return rows.map((row) => ({ tenant: row.tenant_id, pool: row.pool }))
  }

  /** Gives up runners that were last heard of before `silentSince`, or that are named. */
  async giveUp(
    tx: Tx,
    which: { readonly silentSince: Date } | { readonly ids: readonly string[] },
  ): Promise<readonly string[]> {
    const chosen =
      'ids' in which
        ? await tx.query<{ id: string }>(sql`
            update runners set state = 'lost' where id = any (${which.ids}::text[]) and state <> 'lost' returning id`)
        : await tx.query<{ id: string }>(sql`
            update runners set state = 'lost' where id in (
              select id from runners where state <> 'lost' and heartbeat_at < ${which.silentSince}
              order by id for update skip locked)
            returning id`)
    return chosen.map((row) => row.id)
  }

  /** Takes the agents of runners that were given up offline: last of all, because those who report change agents last. */
  async takeOffline(tx: Tx, ids: readonly string[], now: Date): Promise<void> {
    if (ids.length === 0) return
    const agents = await tx.query<AgentChange>(sql`
      update agents set state = 'offline', rev = rev + 1
      where runner_id = any (${ids}::text[]) and state <> 'offline'
      returning tenant_id, id, rev, pool, runner_id, state`)
    await appendEvents(
      tx,
      agents.map((agent) => agentEvent(agent, 'agent.offline', now)),
    )
  }

  /** All runners that count as alive. */
  async active(tx: ReadTx): Promise<readonly { id: string; host: string; pid: number }[]> {
    return tx.query(sql`select id, host, pid from runners where state <> 'lost'`)
  }

  /** Forgets agents and runners that have been gone since `before` and hold nothing. */
  async prune(tx: Tx, before: Date): Promise<void> {
    await tx.execute(sql`delete from agents where state = 'offline' and used = 0 and last_seen_at < ${before}`)
    await tx.execute(sql`
      delete from runners r where state = 'lost' and heartbeat_at < ${before}
        and not exists (select 1 from agents a where a.runner_id = r.id)`)
  }
}

/** An agent whose runner comes back works again, unless somebody wants otherwise. */
const stateOfIntent: Query = sql`case when agents.intent is null then 'healthy' when agents.intent = 'warm' then 'starting'
  else 'draining' end`

interface AgentChange {
  readonly tenant_id: TenantId
  readonly id: string
  readonly rev: number
  readonly pool: string
  readonly runner_id: string
  readonly state: string
}

function agentEvent(agent: AgentChange, type: string, at: Date): NewEvent {
  return {
    tenant: agent.tenant_id,
    type,
    subject: { kind: 'agent', id: agent.id, rev: agent.rev },
    runId: null,
    at,
    data: { pool: agent.pool, runner: agent.runner_id },
  }
}
