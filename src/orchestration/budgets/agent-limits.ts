import { setTimeout as delay } from 'node:timers/promises'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { budgetErrors } from './budgets-errors.ts'

/** Open tasks, for a budget that begins while they are under way; the `runs` part and the coordinator provide it. */
export interface OpenTasks {
  /** Locks tasks that the budget does not bind yet, at most `limit`. */
  lockUnbound(
    tx: Tx,
    tenant: TenantId,
    budget: string,
    limit: number,
  ): Promise<readonly { readonly taskId: string; readonly ready: boolean; readonly atWork: boolean }[]>
  /** Has each hold one of the budget. */
  bind(tx: Tx, tenant: TenantId, budget: string, taskIds: readonly string[]): Promise<void>
  /** Takes ready tasks out of their lanes: they wait for the budget. */
  hold(
    tx: Tx,
    tasks: readonly { readonly tenant: TenantId; readonly taskId: string; readonly reason: string }[],
    now: Date,
  ): Promise<void>
  /** Lets tasks that wait for the budget try again. */
  wake(
    tx: Tx,
    budget: { readonly tenant: TenantId; readonly name: string; readonly most: number },
    now: Date,
  ): Promise<void>
}

/** The budget that counts the agents at work of a tenant. */
export function agentLimitId(tenant: TenantId): string {
  return `tenant:${tenant}:agents`
}

const batch = 500
/** The others are woken by those who end. */
const mostWoken = 1_000
/** No transaction lives longer without doing something. */
const patienceMs = 10_000
const pollMs = 20
const idleMs = 1_000

/**
 * Keeps the tasks that agents of a tenant work on at a time to a limit: a budget of which each attempt holds one, so that it
 * is checked in the statement that leases them and can never be exceeded. What is at work when the limit is lowered goes on.
 *
 * A limit that begins while tasks are open binds those first. Nobody may lease a task by what it held before: ready tasks
 * leave their lanes, and come back, with the limit, when every transaction is over that could have read them.
 * Errors: `budget-busy` where one of them does not end.
 */
export async function limitAgents(
  database: Database,
  tenant: TenantId,
  limit: number | null,
  tasks: OpenTasks,
): Promise<void> {
  const system = database.asSystem('agent-limits')
  const id = agentLimitId(tenant)
  const before = await system.write(async (tx) => {
    await tx.execute(sql`
      insert into budgets (tenant_id, id, scope, scope_id, unit) values (${tenant}, ${id}, 'tenant', ${tenant}, 'agents')
      on conflict do nothing`)
    return limitOf(tx, tenant)
  })
  if (before === limit) return
  if (before === null) {
    await othersEnd(database)
    // Who has only read by now, and will write tasks without the budget, does so within the time a transaction may idle.
    if (database.kind === 'postgres') {
      await delay(idleMs)
      await othersEnd(database)
    }
    while (await bindSome(database, tenant, id, tasks)) {}
    await othersEnd(database)
  }
  await system.write(async (tx) => {
    const now = database.clock.now()
    const [row] = await tx.query<{ rev: number }>(sql`
      update budgets set hard_limit = ${limit}, rev = rev + 1 where tenant_id = ${tenant} and id = ${id} returning rev`)
    const data = {
      scope: 'tenant',
      scopeId: tenant,
      unit: 'agents',
      window: 'total',
      hardLimit: limit,
      softLimit: null,
    }
    const subject = { kind: 'budget', id, rev: row!.rev }
    await appendEvents(tx, [{ tenant, type: 'budget.changed', subject, runId: null, at: now, data }])
    await tasks.wake(tx, { tenant, name: id, most: limit ?? mostWoken }, now)
  })
}

/** The limits that are kept now, of those tenants that have one. */
export async function keptLimits(tx: ReadTx, tenants: readonly TenantId[]): Promise<ReadonlyMap<TenantId, number>> {
  if (tenants.length === 0) return new Map()
  const rows = await tx.query<{ tenant: TenantId; limit: number }>(sql`
    select b.tenant_id as tenant, b.hard_limit as "limit"
    from unnest(${tenants}::text[], ${tenants.map(agentLimitId)}::text[]) as i(tenant_id, id)
    join budgets b on b.tenant_id = i.tenant_id and b.id = i.id where b.hard_limit is not null`)
  return new Map(rows.map(({ tenant, limit }) => [tenant, limit]))
}

async function limitOf(tx: ReadTx, tenant: TenantId): Promise<number | null> {
  return (await keptLimits(tx, [tenant])).get(tenant) ?? null
}

/** Binds what is not bound, a batch. False: there is nothing left. */
async function bindSome(database: Database, tenant: TenantId, id: string, tasks: OpenTasks): Promise<boolean> {
  return database.asSystem('agent-limits').write(async (tx) => {
    const open = await tasks.lockUnbound(tx, tenant, id, batch)
    if (open.length === 0) return false
    const ready = open.filter((task) => task.ready)
    const reason = `budget:${id}`
    await tasks.hold(
      tx,
      ready.map(({ taskId }) => ({ tenant, taskId, reason })),
      database.clock.now(),
    )
    await tasks.bind(
      tx,
      tenant,
      id,
      open.map(({ taskId }) => taskId),
    )
    const atWork = open.filter((task) => task.atWork).length
    await tx.execute(sql`
      update budgets set held = held + ${atWork}::bigint where tenant_id = ${tenant} and id = ${id}`)
    return open.length === batch
  })
}

/** Waits until every transaction is over that is under way now. */
async function othersEnd(database: Database): Promise<void> {
  const system = database.asSystem('agent-limits')
  const until = performance.now() + patienceMs
  const [mine] = await system.write((tx) => tx.query<{ xid: string }>(sql`select pg_current_xact_id()::text as xid`))
  for (;;) {
    const [row] = await system.read((tx) =>
      tx.query<{ over: boolean }>(sql`
        select pg_snapshot_xmin(pg_current_snapshot()) > ${mine!.xid}::xid8 as over`),
    )
    if (row!.over) return
    if (performance.now() > until) {
      throw budgetErrors['budget-busy']('a transaction that began before the limit does not end')
    }
    await delay(pollMs)
  }
}
